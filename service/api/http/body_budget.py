"""How many bytes of request bodies a worker holds at one time."""

from service.errors import UnavailableError

# Bodies that are no larger are not counted: they always find room, however much the large ones
# hold; their number is bounded by the worker's connections.
UNCOUNTED_BYTES = 64 * 1024


class BodyBudget:
    """Bounds the bytes of large bodies under way together. Belongs to the loop's thread.

    Bytes are taken as they arrive, not as they are announced: a client that announces much and
    sends little takes no room from others.
    """

    def __init__(self, most_bytes: int) -> None:
        """A budget of which nothing is taken yet.

        Args:
            most_bytes: the most bytes that are held at one time.
        """
        self._most_bytes = most_bytes
        self._held = 0

    @property
    def held(self) -> int:
        """How many bytes are held now."""
        return self._held

    def open(self) -> "BodyShare":
        """Return the share of a body of which nothing has arrived yet."""
        return BodyShare(self)

    def take(self, count: int) -> None:
        """Hold ``count`` more bytes.

        Raises:
            UnavailableError: they do not fit.
        """
        if self._held + count > self._most_bytes:
            raise UnavailableError(
                "The large bodies under way in this worker would be more than "
                f"{self._most_bytes} bytes, which is the limit.",
                retry_after_s=1,
            )
        self._held += count

    def release(self, count: int) -> None:
        """Hold ``count`` bytes no longer."""
        self._held -= count


class BodyShare:
    """What one body holds of a budget."""

    __slots__ = ("_budget", "_counted", "_size")

    def __init__(self, budget: BodyBudget) -> None:
        """The share of a body of which nothing has arrived yet."""
        self._budget = budget
        self._size = 0
        self._counted = 0

    @property
    def size(self) -> int:
        """How many bytes of the body are held, counted or not."""
        return self._size

    def add(self, count: int) -> None:
        """Hold ``count`` more bytes of the body, which have arrived.

        Raises:
            UnavailableError: they do not fit beside the others.
        """
        self._size += count
        if self._size > UNCOUNTED_BYTES:
            self._budget.take(self._size - self._counted)
            self._counted = self._size

    def remove(self, count: int) -> None:
        """Hold ``count`` bytes of the body no longer."""
        self._size -= count
        counted = self._size if self._size > UNCOUNTED_BYTES else 0
        self._budget.release(self._counted - counted)
        self._counted = counted

    def release(self) -> None:
        """Hold nothing any more."""
        self._budget.release(self._counted)
        self._size = self._counted = 0
