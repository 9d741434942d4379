"""Reads header blocks (RFC 7541), and remembers those that come again and again."""

from collections.abc import Callable
from typing import Generic, TypeVar

from service.http2.errors import ErrorCode, Http2Error
from service.http2.header_table import ENTRY_BYTES, Field, HeaderTable
from service.http2.huffman_code import huffman_decoded

# What a request's fields may come to, as SETTINGS_MAX_HEADER_LIST_SIZE counts.
MOST_HEADER_BYTES = 16 * 1024
# Blocks that are remembered; of each, the most bytes, and what it stands for.
_MOST_KNOWN, _LONGEST_KNOWN, _MOST_KNOWN_BYTES = 8, 1024, 4096
# Of numbers: seven bits in each octet but the first.
_LONGEST_SHIFT = 28

Head = TypeVar("Head")


class HeaderDecoder(Generic[Head]):
    """Reads the header blocks of one connection, in the order of their coming.

    A client's requests have nearly always the same block, which refers to fields that it has sent
    before. As long as the table stays as it is, the same bytes mean the same.
    """

    def __init__(self, read: Callable[[list[Field] | None], Head]) -> None:
        """A decoder that has read nothing yet.

        Args:
            read: returns what a request's fields mean; it gets ``None`` where there are too many.
        """
        self._read = read
        self._table = HeaderTable()
        self._known: dict[bytes, Head] = {}

    def head(self, block: bytes) -> Head:
        """Return what the block of a request means.

        Raises:
            Http2Error: it cannot be read, and so none that follows.
            StreamError: what ``read`` raises.
        """
        found = self._known.get(block)
        if found is not None:
            return found
        fields, lasts = self._decoded(block)
        found = self._read(fields)
        if lasts and len(block) <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[block] = found
        return found

    def skip(self, block: bytes) -> None:
        """Read a block that means nothing here, but may change what later ones refer to.

        Raises:
            Http2Error: it cannot be read, and so none that follows.
        """
        self._decoded(block)

    def _decoded(self, block: bytes) -> tuple[list[Field] | None, bool]:
        """Return the fields, ``None`` where there are too many, and whether to remember them."""
        table = self._table
        fields: list[Field] = []
        size = at = 0
        has_changed = False
        try:
            while at < len(block):
                octet = block[at]
                if octet & 0x80:
                    number, at = _number(block, at, 0x7F)
                    field = table.field(number)
                elif octet & 0x40:
                    field, at = self._literal(block, at, 0x3F)
                    table.add(field)
                    has_changed = True
                elif octet & 0x20:
                    if size:
                        raise Http2Error(
                            ErrorCode.COMPRESSION_ERROR, "A table changes its size within a block."
                        )
                    number, at = _number(block, at, 0x1F)
                    table.resize(number)
                    has_changed = True
                    continue
                else:
                    field, at = self._literal(block, at, 0x0F)
                size += len(field[0]) + len(field[1]) + ENTRY_BYTES
                if size <= MOST_HEADER_BYTES:
                    fields.append(field)
        except IndexError:
            raise _truncated() from None
        if has_changed:
            # Other blocks may mean something else now.
            self._known.clear()
        lasts = not has_changed and size <= _MOST_KNOWN_BYTES
        return (fields if size <= MOST_HEADER_BYTES else None), lasts

    def _literal(self, block: bytes, at: int, mask: int) -> tuple[Field, int]:
        number, at = _number(block, at, mask)
        if number:
            name = self._table.field(number)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        return (name, value), at


def _number(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Return the number that begins in the lower bits of an octet, and where it ends."""
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    for shift in range(0, _LONGEST_SHIFT, 7):
        octet = block[at]
        at += 1
        number += (octet & 0x7F) << shift
        if octet < 0x80:
            return number, at
    raise Http2Error(ErrorCode.COMPRESSION_ERROR, "A number in a header block is too large.")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    is_packed = block[at] & 0x80
    length, at = _number(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise _truncated()
    text = block[at:end]
    return (huffman_decoded(text) if is_packed else text), end


def _truncated() -> Http2Error:
    return Http2Error(ErrorCode.COMPRESSION_ERROR, "A header block ends within a field.")
