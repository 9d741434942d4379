"""Which work is short enough for the event loop, and which goes to a thread.

To hand work to a thread and its result back costs some 100 us each way, and more where loop and
thread then want Python's lock at once: a request of 64 images (183 KiB) takes half as much again of
the processor when it is parsed on a thread (docs/performance.md). Long work holds up
all other requests on the loop.
"""

from service.api.json.value_budget import LARGE_BYTES
from service.repository.golden_examples import Tensors

# A request that is expected to take longer to parse is parsed on a thread. As long as some thirty
# small requests take.
_QUICK_S = 0.003
# Smaller bodies are parsed on the loop whatever is in them: at most 40 us a KiB were measured.
SMALL_BYTES = 64 * 1024
# Until it is known how long a model's bodies take: 6 us a KiB were measured for arrays of numbers,
# 22 for rows of named values, 32 for short strings.
_FIRST_S_PER_BYTE = 20e-6 / 1024
# The weight of the newest body in the mean.
_WEIGHT = 0.25
# A larger response is written on a thread: 1 us to 2 us a value.
_MOST_VALUES = 2048
# Of a string value, so many bytes count as a value.
_BYTES_A_VALUE = 64


class ParseCost:
    """How long it takes to parse and check a model's bodies, a byte. Used by any thread."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        """The cost of parsing, of which nothing has been measured yet."""
        self._seconds = _FIRST_S_PER_BYTE

    def note(self, size: int, seconds: float) -> None:
        """Add a body that was parsed to the mean.

        Args:
            size: its bytes.
            seconds: of processor time that it took.
        """
        self._seconds += _WEIGHT * (seconds / max(size, 1) - self._seconds)

    def is_quick(self, size: int) -> bool:
        """Whether a body of ``size`` bytes is to be parsed on the loop."""
        return size <= SMALL_BYTES or (size <= LARGE_BYTES and size * self._seconds < _QUICK_S)


def is_large(outputs: Tensors) -> bool:
    """Whether a response takes so long to write that a thread should do it."""
    values = 0
    for tensor in outputs.values():
        values += tensor.size
        if values > _MOST_VALUES:
            return True
        if tensor.dtype == object:
            values += sum(map(len, tensor.ravel().tolist())) // _BYTES_A_VALUE
    return values > _MOST_VALUES
