"""Arrays of numbers from JSON text to numpy, without a Python object for each number.

simdjson parses the text and flattens the numbers into one buffer, however they are nested. Whether
the nesting is a rectangle is decided from the text's *residue*: the brackets and commas that are
left of it without digits, signs and white space. This is sufficient. If the residue is that of a
rectangle, the text is well-formed JSON (simdjson rejects ``[1 2]`` and ``[1]2``), and there are as
many numbers as the rectangle has places, then each innermost list holds one number between any two
commas, because it cannot hold more, and each list around them has as many lists as its commas say.

Numbers are read exactly as orjson and numpy would read them; texts for which that is not certain
are left to orjson.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import simdjson

# numpy's own bound is 64; no model comes near either.
MOST_DIMENSIONS = 32
# The characters between the brackets and commas of an array of numbers.
_FILLING = b"0123456789.+-eE \t\r\n"
# From this length on, numpy finds brackets and commas faster than ``bytes.translate`` does.
_LONG = 16 * 1024
# What numpy looks at in one step, in bytes; it makes eight for each that it finds.
_AT_ONCE = 1 << 20
# simdjson's buffers take some 15 bytes for each byte of text, and to make them anew as long as to
# parse the text. Parsers that have grown beyond this length of text are not kept, and no more of
# them than ever parse at one time: Python lets one thread at a time do that, but for a switch
# between its steps.
_KEPT_LENGTH = 2 * 1024 * 1024
_KEPT_PARSERS = 2

# A large text takes hundreds of megabytes while it is parsed.
_one_large = Lock()
_parsers: deque[simdjson.Parser] = deque(maxlen=_KEPT_PARSERS)


# Not frozen: that alone would cost more than the rest of its making.
@dataclass(slots=True, eq=False)
class NumberArray:
    """A rectangular array of numbers, as JSON wrote it and as numpy holds it.

    Attributes:
        text: the JSON text.
        array: int64 where all numbers were written as whole numbers, which excludes ``1.0`` and
            ``1e3``; else float64. No dimension is 0.
    """

    text: bytes
    array: npt.NDArray[Any]

    def as_lists(self) -> Any:
        """Return the numbers as any JSON parser would: as Python's, in nested lists."""
        return orjson.loads(self.text)


def read_number_arrays(texts: Sequence[bytes]) -> list[NumberArray | None]:
    """Read JSON texts as arrays of numbers.

    Texts that are alike are parsed together, since much of a short text's cost is the call.

    Returns:
        For each text its array; ``None`` for what is not a rectangular, well-formed array of
        numbers, or holds one that is neither int64 nor, written as a fraction, a finite float64.
    """
    found: list[NumberArray | None] = [None] * len(texts)
    alike: dict[tuple[bytes, bool], list[int]] = {}
    for i, text in enumerate(texts):
        whole = not (b"." in text or b"e" in text or b"E" in text)
        alike.setdefault((_residue(text), whole), []).append(i)
    for (residue, whole), members in alike.items():
        shape = _shape(residue)
        if shape is not None:
            array = _read([texts[i] for i in members], shape, whole=whole)
            if array is not None:
                for i, part in zip(members, array, strict=True):
                    found[i] = NumberArray(texts[i], part)
    return found


def _residue(text: bytes) -> bytes:
    if len(text) < _LONG:
        return text.translate(None, _FILLING)
    characters = np.frombuffer(text, np.uint8)
    parts = []
    for start in range(0, len(text), _AT_ONCE):
        part = characters[start : start + _AT_ONCE]
        # Whatever else stands there is not a number, and simdjson rejects it.
        kept = (part == ord(",")) | (part == ord("[")) | (part == ord("]"))
        parts.append(part.compress(kept).tobytes())
    return b"".join(parts)


def _shape(residue: bytes) -> tuple[int, ...] | None:
    """Return the shape of the rectangle whose residue this is; ``None`` if there is none."""
    depth = len(residue) - len(residue.lstrip(b"["))
    if not 1 <= depth <= MOST_DIMENSIONS:
        return None
    # The first list of each level, from the innermost: what the rectangle must repeat.
    first, shape = b"", []
    for level in range(1, depth + 1):
        start = depth - level
        end = residue.find(b"]" * level, start) + level if start else len(residue)
        # It is its ``size`` inner lists (numbers leave nothing), commas between them and brackets.
        size, rest = divmod(end - start - 1, len(first) + 1)
        if end < level or rest or size < 1:
            return None
        first = b"[%b]" % (first + (b"," + first) * (size - 1))
        shape.append(size)
    return tuple(reversed(shape)) if first == residue else None


def _read(texts: Sequence[bytes], shape: tuple[int, ...], *, whole: bool) -> Any:
    """Return the numbers in an array of shape ``(len(texts), *shape)``, or ``None``."""
    text = texts[0] if len(texts) == 1 else b"[%b]" % b",".join(texts)
    kind, dtype = ("i", np.int64) if whole else ("d", np.float64)
    try:
        flat = np.frombuffer(_flatten(text, kind), dtype)
    except (ValueError, TypeError, RuntimeError):
        return None
    full = (len(texts), *shape)
    return flat.reshape(full) if flat.size == math.prod(full) else None


def _flatten(text: bytes, kind: str) -> Any:
    """Return the numbers in a JSON array as a buffer of int64 ("i") or float64 ("d").

    Raises:
        ValueError, TypeError, RuntimeError: it is not JSON, or holds something else.
    """
    if len(text) > _KEPT_LENGTH:
        with _one_large:
            return _document(simdjson.Parser(), text).as_buffer(of_type=kind)
    try:
        parser = _parsers.pop()
    except IndexError:
        parser = simdjson.Parser()
    try:
        # The document must be gone before its parser may have another: it gets no name here.
        return _document(parser, text).as_buffer(of_type=kind)
    finally:
        _parsers.append(parser)


def _document(parser: simdjson.Parser, text: bytes) -> Any:
    return parser.parse(text)
