"""Saves memory: imports what TensorFlow needs alone, and returns memory of unloaded versions."""

import ctypes
import gc
import importlib
import sys

from service.monitoring.native_stderr import silent_stderr

# glibc's parameters of these names (malloc.h), and what they are set to. How many arenas its
# threads may spread over: each keeps what was freed in it, and swaps free in other threads than
# they allocate in. From which size on memory comes from the system and goes back to it at once, and
# how much an arena keeps: without these the tensors and buffers of each large request would be new
# pages, which the system has to clear: 10 MB for a request of 512 images.
_MALLOC = {
    "M_ARENA_MAX": (-8, 2),
    "M_MMAP_THRESHOLD": (-3, 16 << 20),
    "M_TRIM_THRESHOLD": (-1, 32 << 20),
}
# What TensorFlow imports if it can, and goes on without. SavedModels need none of it: Keras' layers
# and the like are operations in their graphs.
_UNNEEDED = ("keras", "matplotlib", "scipy", "sklearn")


def import_tensorflow() -> None:
    """Import TensorFlow without Keras and the like: 1.6 s and 100 MB less (docs/performance.md).

    For processes that only serve; ``tensorflow.keras`` cannot be imported afterwards. All that is
    there then is exempt from garbage collection.
    """
    # Nothing of what it makes is garbage: looking for some takes a fifth of the time.
    gc.disable()
    hidden = [name for name in _UNNEEDED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        with silent_stderr():
            importlib.import_module("tensorflow")
    finally:
        for name in hidden:
            del sys.modules[name]
        gc.freeze()
        gc.enable()


def prepare_to_fork() -> None:
    """Exempt all objects that exist now from garbage collection, and set what malloc keeps.

    Called in the master once TensorFlow is imported: collections in the workers have little to
    look at then, and do not write to the pages that all processes share.
    """
    release_memory()
    gc.freeze()
    for parameter, value in _MALLOC.values():
        _glibc("mallopt", parameter, value)


def release_memory() -> None:
    """Free what unloaded versions have left, and return free pages to the system.

    A TensorFlow graph refers to itself, so only the garbage collector frees it; and the C
    library keeps freed memory for itself otherwise.
    """
    gc.collect()
    _glibc("malloc_trim", 0)


def _glibc(function: str, *arguments: int) -> None:
    """Call a function that only glibc has, and only glibc needs."""
    try:
        call = getattr(ctypes.CDLL(None), function)
    except AttributeError:
        return
    call(*arguments)
