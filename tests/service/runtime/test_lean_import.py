"""What a serving process imports of TensorFlow, and what it does without."""

import subprocess
import sys
from pathlib import Path


def test_tensorflow_is_imported_without_keras(repository_root: Path) -> None:
    script = """
import sys
from service.runtime.memory import import_tensorflow

import_tensorflow()
import tensorflow as tf
unneeded = {"keras", "matplotlib", "scipy", "sklearn"}
print(sorted(unneeded & {name.partition(".")[0] for name in sys.modules}))
assert not unneeded & sys.modules.keys()
# It hides nothing from whoever comes after it.
import keras
print(tf.keras.Sequential is keras.Sequential, float(keras.layers.Dense(1)(tf.zeros((1, 2)))[0, 0]))
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository_root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == ["[]", "True 0.0"]


def test_no_garbage_is_looked_for_in_what_is_imported(repository_root: Path) -> None:
    script = """
import gc
from service.runtime.memory import import_tensorflow

import_tensorflow()
print(gc.get_stats()[2]["collections"], gc.get_freeze_count() > 100_000, gc.isenabled())
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository_root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "0 True True\n"
