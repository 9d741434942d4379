"""Giving memory back to the system when a version has been unloaded."""

import ctypes
import gc

# glibc's mallopt parameter of that name (malloc.h), and how many arenas its threads may spread
# over: each keeps what was freed in it, and swaps free in other threads than they allocate in.
_M_ARENA_MAX = -8
_ARENAS = 2


def prepare_to_fork() -> None:
    """Exempt all objects that exist now from garbage collection, and bound malloc's arenas.

    Called in the master once TensorFlow is imported: collections in the workers have little to
    look at then, and do not write to the pages that all processes share.
    """
    gc.collect()
    gc.freeze()
    _glibc("mallopt", _M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Free what unloaded versions have left, and return free pages to the system.

    A TensorFlow graph refers to itself, so only the garbage collector frees it; and the C
    library keeps freed memory for itself unless it is told otherwise.
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
