#!/bin/sh
# Take out of a virtual environment what no container needs: slim.sh /opt/venv
#
# Bytecode stays: nothing can be written at run time, and without it every start would compile
# TensorFlow's Python anew.
set -eu

venv=$1
size() { du -sm "$venv" | cut -f1; }
before=$(size)
packages=$(echo "$venv"/lib/python3.*/site-packages)

# Headers and sources for building operations in C++ against TensorFlow.
rm -rf "$packages/tensorflow/include" "$packages/tensorflow/xla_aot_runtime_src"
# Packages' own tests; static libraries and C++ sources; types for editors.
find "$packages/numpy" -type d -name tests -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.a' -o -name '*.cpp' -o -name '*.h' -o -name '*.pyi' \) -delete
# Symbol tables for debuggers: a quarter of TensorFlow's largest library, most of simdjson's. Of
# these alone, because the tool that bundles other wheels' libraries leaves files that strip may
# break.
find "$packages/tensorflow" "$packages"/csimdjson.* -type f -name '*.so*' \
    -exec strip --strip-unneeded {} +

echo "$venv: $before MB before, $(size) MB now"
