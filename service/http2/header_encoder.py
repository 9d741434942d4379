"""Writes header blocks (RFC 7541) that refer to nothing but the known fields.

So they need no table, and most parts of an answer's are the same bytes each time.
"""

# By section 6.1 and appendix A: the field with number 8.
STATUS_200 = b"\x88"
# A field with a new name that enters no table (section 6.2.2).
_LITERAL = b"\0"
_SHORT = 127


def header_block(name: bytes, value: bytes) -> bytes:
    """Return the block of one field."""
    return header_name(name) + header_value(value)


def header_name(name: bytes) -> bytes:
    """Return the beginning of a field's block, which ends with ``header_value``."""
    return _LITERAL + header_value(name)


def header_value(value: bytes) -> bytes:
    """Return a string as it stands in a block."""
    length = len(value)
    if length < _SHORT:
        return bytes((length,)) + value
    head = [_SHORT]
    length -= _SHORT
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + value
