"""How a training's process keeps freed memory, instead of having the system clear new pages."""

import contextlib
import ctypes
import os

# glibc's parameters of these names (malloc.h). From which size on memory comes from the system, 32
# MiB at most (malloc.c, HEAP_MAX_SIZE); how much an arena keeps of what was freed in it; and by how
# much it grows: a thread's arena is given back whole once less than that is left.
_MALLOC = {
    "M_MMAP_THRESHOLD": (-3, 32 << 20),
    "M_TRIM_THRESHOLD": (-1, 32 << 20),
    "M_TOP_PAD": (-2, 16 << 20),
}


def keep_freed_memory() -> None:
    """Let this process keep the memory of large arrays for the next ones.

    Each step and each look at a matrix makes arrays of megabytes. By default they are given back,
    and the system clears the same pages for the next ones anew: half of the time of a training of
    clothing, and a third of that of the models that mpg's networks are compared with.

    TensorFlow asks for its allocator when it makes its first tensor, so this comes before.
    """
    # tensorflow/core/common_runtime/process_state.cc
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    with contextlib.suppress(AttributeError):  # only glibc has it
        set_parameter = ctypes.CDLL(None).mallopt
        for parameter, value in _MALLOC.values():
            set_parameter(parameter, value)
