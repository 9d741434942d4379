"""Which names the folders of models and versions may have."""

import re

# What TensorFlow Serving takes for a model's name in a path: all but "/" and ":". Hidden folders
# are none, nor is what cannot be printed.
_SERVED_NAME = re.compile(r"(?!\.)[^/:\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
# What TensorFlow Serving takes for a version: any decimal number of 64 bits, with a sign's bit.
_VERSION_NAME = re.compile(r"[0-9]{1,255}")
LAST_VERSION = 2**63 - 1


def is_served_name(name: str) -> bool:
    """Whether a request's path can name such a model."""
    return _SERVED_NAME.fullmatch(name) is not None


def is_version_name(name: str) -> bool:
    """Whether a folder of this name holds a version; ``007`` is version 7."""
    return _VERSION_NAME.fullmatch(name) is not None and int(name) <= LAST_VERSION
