"""Divides a call's bytes into messages, each with a prefix of five bytes."""

from service.api.http.request_body import too_large
from service.errors import ServiceError

PREFIX_BYTES = 5
# Smaller parts are joined as they come: an object of Python's takes some fifty bytes.
_LEAST_PART = 4096


def framed(message: bytes) -> bytes:
    """Return a message with its prefix."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class MessageReader:
    """Reads the messages of one call.

    Attributes:
        size: how many bytes were received and not read yet.
    """

    __slots__ = ("_at", "_data", "_more", "_most", "_need", "size")

    def __init__(self, most: int) -> None:
        """A reader that has received nothing.

        Args:
            most: the most bytes of a message.
        """
        self.size = 0
        self._most = most
        # Bytes in one piece, the position up to which they were read, and further pieces.
        self._data = b""
        self._at = 0
        self._more: list[bytes] = []
        # How many bytes are needed next: of a prefix, or of the message after it.
        self._need = PREFIX_BYTES

    def add(self, data: bytes) -> None:
        """Add received bytes."""
        self.size += len(data)
        if not self._data:
            self._data, self._at = data, 0
        elif self._more and len(self._more[-1]) < _LEAST_PART:
            self._more[-1] += data
        else:
            self._more.append(data)

    def read(self) -> tuple[bool, bytes] | None:
        """Return the next message and whether it is packed; ``None`` while it is not whole.

        Raises:
            ServiceError: 413, it says that it is larger than a message may be; 400, its prefix is
                none.
        """
        if self.size < self._need:
            return None
        if self._need == PREFIX_BYTES:
            self._join()
            at = self._at
            length = int.from_bytes(self._data[at + 1 : at + PREFIX_BYTES], "big")
            if self._data[at] > 1:
                raise ServiceError(
                    f"Expected a message that begins with 0 or 1, not {self._data[at]}.", status=400
                )
            if length > self._most:
                raise too_large_message(length, self._most)
            self._need += length
            if self.size < self._need:
                return None
        is_packed = bool(self._data[self._at])
        message = self._take() if self.size > self._need else self._take_all()
        self.size -= self._need
        self._need = PREFIX_BYTES
        return is_packed, message

    def _take_all(self) -> bytes:
        """Return the message that all parts make up, which are copied once: it may be large."""
        rest = memoryview(self._data)[self._at + PREFIX_BYTES :]
        message = b"".join((rest, *self._more))
        self._data, self._at, self._more = b"", 0, []
        return message

    def _take(self) -> bytes:
        """Return the message that others follow."""
        self._join()
        begin, end = self._at + PREFIX_BYTES, self._at + self._need
        message = self._data[begin:end]
        if end == len(self._data):
            self._data, self._at, self._more = b"".join(self._more), 0, []
        else:
            self._at = end
        return message

    def _join(self) -> None:
        """Join the pieces, so that the needed bytes are contiguous."""
        if self._more and len(self._data) - self._at < self._need:
            self._data = b"".join((self._data[self._at :], *self._more))
            self._at, self._more = 0, []


def too_large_message(length: int, most: int) -> ServiceError:
    """Return the error of a message of ``length`` bytes where ``most`` are allowed."""
    error = too_large(most)
    # Clients know these words from gRPC's own servers.
    words = f"Received message larger than max ({length} vs. {most}). {error.message}"
    return ServiceError(words, status=error.status)
