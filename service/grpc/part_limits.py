"""How many parts a message may have: messages and strings within it.

A part of two bytes takes up to 180 bytes once it is parsed. So parts are counted in the bytes,
before any is made. Numbers are not among them: they become arrays.
"""

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from service.errors import ServiceError

# Shorter messages are not counted: they cannot have enough parts to matter.
_UNCOUNTED_BYTES = 64 * 1024
# As many values as any body in JSON may have.
_MOST_STRINGS = 1_000_000
_BYTES, _STRING, _MESSAGE = 12, 9, 11  # of FieldDescriptor's types
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MORE = 0x80
# In bytes: 64 bits, seven in each (protobuf's encoding, "Base 128 Varints").
_LONGEST_VARINT = 10


@dataclass(slots=True)
class _Kind:
    """A kind of message: by the number of each field that is a part, its kind; of strings, none."""

    fields: dict[int, "_Kind | None"] = field(default_factory=dict)


class PartLimits:
    """Bounds the parts of messages of one class."""

    def __init__(self, message: Any, *, most_messages: int) -> None:
        """Bounds for the messages of a class.

        Args:
            message: the class.
            most_messages: the most messages within one, at any depth.
        """
        self._kind = _kind_of(message.DESCRIPTOR, {})
        self._most_messages = most_messages

    def check(self, data: bytes) -> None:
        """Check a serialised message before it is parsed.

        Raises:
            ServiceError: 413, it has too many parts.
            DecodeError: it is not a protobuf message.
        """
        if len(data) <= _UNCOUNTED_BYTES:
            return
        messages, strings = self._most_messages, _MOST_STRINGS
        # Of what is yet to be looked at: its kind, where it begins and where it ends.
        left = [(self._kind, 0, len(data))]
        try:
            while left:
                kind, at, end = left.pop()
                fields = kind.fields
                while at < end:
                    tag = data[at]
                    at += 1
                    if tag >= _MORE:
                        tag, at = _varint(data, at - 1)
                    wire = tag & 7
                    if wire == _DELIMITED:
                        size = data[at]
                        at += 1
                        if size >= _MORE:
                            size, at = _varint(data, at - 1)
                        number = tag >> 3
                        if number in fields:
                            inner = fields[number]
                            if inner is None:
                                strings -= 1
                            else:
                                messages -= 1
                                if size and inner.fields:
                                    left.append((inner, at, at + size))
                            if messages < 0 or strings < 0:
                                raise self._too_many(messages < 0)
                        at += size
                    elif wire == _VARINT:
                        while data[at] >= _MORE:
                            at += 1
                        at += 1
                    elif wire in _FIXED:
                        at += _FIXED[wire]
                    else:
                        # Groups are no part of proto3.
                        raise DecodeError("a group")
        except IndexError:
            raise DecodeError("truncated") from None

    def _too_many(self, is_message: bool) -> ServiceError:
        most = self._most_messages if is_message else _MOST_STRINGS
        kind = "messages" if is_message else "strings"
        return ServiceError(
            f"The request holds more than {most} {kind}, the most that one can have here; "
            "divide it.",
            status=413,
        )


def _kind_of(descriptor: Any, known: dict[str, _Kind]) -> _Kind:
    found = known.get(descriptor.full_name)
    if found is None:
        found = known[descriptor.full_name] = _Kind()
        for each in descriptor.fields:
            if each.type == _MESSAGE:
                found.fields[each.number] = _kind_of(each.message_type, known)
            elif each.type in (_STRING, _BYTES):
                found.fields[each.number] = None
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and where it ends.

    Raises:
        DecodeError: it is longer than any; reading on takes the square of the message's length.
        IndexError: the message ends before it.
    """
    value = 0
    for shift in range(0, 7 * _LONGEST_VARINT, 7):
        octet = data[at]
        at += 1
        value |= (octet & ~_MORE) << shift
        if octet < _MORE:
            return value, at
    raise DecodeError("a number of more than ten bytes")
