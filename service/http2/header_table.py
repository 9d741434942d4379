"""The tables that header blocks refer to (RFC 7541, section 2.3 and appendix A)."""

from collections import deque

from service.http2.errors import ErrorCode, Http2Error

Field = tuple[bytes, bytes]

# The table's size until a peer chooses a smaller one.
MOST_TABLE_BYTES = 4096
# What an entry takes besides its name and value, by definition.
ENTRY_BYTES = 32

_STATIC: tuple[Field, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", status) for status in b"200 204 206 304 400 404 500".split()),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *(
        (name, b"")
        for name in b"""
            accept-language accept-ranges accept access-control-allow-origin age allow
            authorization cache-control content-disposition content-encoding content-language
            content-length content-location content-range content-type cookie date etag expect
            expires from host if-match if-modified-since if-none-match if-range
            if-unmodified-since last-modified link location max-forwards proxy-authenticate
            proxy-authorization range referer refresh retry-after server set-cookie
            strict-transport-security transfer-encoding user-agent vary via www-authenticate
        """.split()
    ),
)


class HeaderTable:
    """The fields that a peer may refer to by number: known ones, then those it has sent lately."""

    def __init__(self) -> None:
        """A table of the known ones alone."""
        # The latest first.
        self._entries: deque[Field] = deque()
        self._bytes = 0
        self._most = MOST_TABLE_BYTES

    def field(self, number: int) -> Field:
        """Return the field with a number.

        Raises:
            Http2Error: the table has no field of this number.
        """
        if 0 < number <= len(_STATIC):
            return _STATIC[number - 1]
        number -= len(_STATIC) + 1
        if 0 <= number < len(self._entries):
            return self._entries[number]
        raise Http2Error(ErrorCode.COMPRESSION_ERROR, "A header block refers to no field.")

    def add(self, field: Field) -> None:
        """Add a field, and forget the oldest ones that have no room beside it."""
        size = len(field[0]) + len(field[1]) + ENTRY_BYTES
        self._shrink(self._most - size)
        if size <= self._most:
            self._entries.appendleft(field)
            self._bytes += size

    def resize(self, most: int) -> None:
        """Let the table have so many bytes from now on.

        Raises:
            Http2Error: they are more than it may have.
        """
        if most > MOST_TABLE_BYTES:
            raise Http2Error(
                ErrorCode.COMPRESSION_ERROR,
                f"Expected a table of at most {MOST_TABLE_BYTES} bytes, not {most}.",
            )
        self._most = most
        self._shrink(most)

    def _shrink(self, most: int) -> None:
        entries = self._entries
        while entries and self._bytes > most:
            name, value = entries.pop()
            self._bytes -= len(name) + len(value) + ENTRY_BYTES
