"""How many bytes of bodies a worker holds at once."""

from service.errors import UnavailableError


class BodyBudget:
    """Bounds the bytes of all bodies under way together. Belongs to the loop's thread."""

    def __init__(self, most_bytes: int) -> None:
        """Nothing is taken yet.

        Args:
            most_bytes: the most bytes of all bodies together.
        """
        self._most_bytes = most_bytes
        self._taken = 0

    def take(self, count: int) -> None:
        """Take ``count`` bytes before they are read; ``give_back`` returns them.

        Raises:
            UnavailableError: they do not fit beside the others.
        """
        if self._taken + count > self._most_bytes:
            raise UnavailableError(
                "The bodies of the requests under way fill this worker's memory for bodies: "
                f"{self._most_bytes} bytes.",
                retry_after_s=1,
            )
        self._taken += count

    def give_back(self, count: int) -> None:
        """Return bytes that were taken."""
        self._taken -= count
