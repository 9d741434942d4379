"""Giving memory back to the system when a version has been unloaded."""

import ctypes
import gc


def keep_forever() -> None:
    """Exempt all objects that exist now from garbage collection.

    Called in the master once TensorFlow is imported: collections in the workers have little to
    look at then, and do not write to the pages that all processes share.
    """
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Free what unloaded versions have left, and return free pages to the system.

    A TensorFlow graph refers to itself, so only the garbage collector frees it; and the C
    library keeps freed memory for itself unless it is told otherwise.
    """
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return  # Only glibc has it, and only glibc needs it.
    trim(0)
