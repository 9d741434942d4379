"""How many bytes of request bodies a worker holds at one time."""

import threading

from service.errors import UnavailableError

# Of each body, what is not counted: bodies that are no larger always find room, however much the
# large ones hold; their number is bounded by the worker's connections.
UNCOUNTED_BYTES = 64 * 1024


class BodyBudget:
    """The bytes of bodies under way in one worker, and their bound.

    Bytes are taken as they arrive, not as they are announced: a client that announces much and
    sends little keeps nobody out.
    """

    def __init__(self, most: int) -> None:
        """Start with nothing held.

        Args:
            most: the most bytes that are held at one time.
        """
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """How many bytes are held now."""
        return self._held

    def take(self, count: int) -> None:
        """Hold ``count`` more bytes; they must be given back.

        Raises:
            UnavailableError: they do not fit.
        """
        with self._lock:
            if self._held + count <= self._most:
                self._held += count
                return
        raise UnavailableError(
            f"The large bodies under way in this worker would be more than {self._most} bytes, "
            "which is the limit.",
            retry_after_s=1,
        )

    def give_back(self, count: int) -> None:
        """Hold ``count`` bytes no longer."""
        with self._lock:
            self._held -= count
