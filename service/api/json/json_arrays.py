"""JSON bodies that hold long arrays of numbers, without a Python object for each number.

Before orjson parses the body, each long array of numbers is parsed on its own
(service/api/json/json_numbers.py) and replaced by a placeholder, a string of random characters
that no client knows. orjson parses the short remainder, and the arrays replace their placeholders
in the result. So an array may stand wherever JSON allows a value, whatever the wire format.

Where arrays are is a guess, which may be wrong. The result is used only if orjson accepts the
remainder and every placeholder is found in it as a whole value: then the text with the arrays,
which are well-formed themselves, is well-formed too and means the same. A placeholder within a
string, in a key, beside a value, or under a key that comes twice is not found or makes orjson fail.
In any doubt orjson parses the whole body, and its error messages are used.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from service.api.json.json_numbers import NumberArray, read_number_arrays
from service.api.json.value_budget import admit_numbers, admit_text

# In bytes. Shorter arrays are cheaper as Python's lists: for one array of small whole numbers the
# two ways cost about the same from 300 to 750 bytes, and the placeholder less beyond.
_SHORTEST = 400
# How deep arrays are searched for. orjson limits the depth of the whole body, and placeholders must
# not circumvent that.
_DEEPEST = 16
# Up to so many quotation marks are found faster one by one than by numpy.
_FEW_QUOTES = 16
_QUOTE = ord('"')
_NESTED = (NumberArray, list, dict)
_SECRET = secrets.token_hex(16)


def loads(body: bytes) -> Any:
    """Return the JSON value in ``body``, with ``NumberArray`` for its long arrays of numbers.

    Raises:
        orjson.JSONDecodeError: it is not strict JSON in UTF-8.
        ServiceError: 413, it holds too many other values.
    """
    spans = list(_spans(body)) if len(body) > _SHORTEST else None
    if spans:
        arrays = read_number_arrays([body[start:end] for start, end in spans])
        found = [
            (*span, numbers)
            for span, numbers in zip(spans, arrays, strict=True)
            if numbers is not None
        ]
        if found:
            document = _loads_without_arrays(body, found)
            if document is not None:
                return document
    admit_text(body)
    return orjson.loads(body)


def with_lists(document: Any) -> Any:
    """Return what ``loads`` returned with nested lists in the place of all ``NumberArray``.

    Raises:
        ServiceError: 413, there are too many numbers.
    """
    admit_numbers(_count(document, _DEEPEST))
    return _with_lists(document, _DEEPEST)


def _count(value: Any, depth: int) -> int:
    """Return how many numbers there are in ``NumberArray``."""
    if type(value) is NumberArray:
        return int(value.array.size)
    # A call for each of millions of plain values would take seconds.
    if type(value) is list and depth:
        return sum(_count(item, depth - 1) for item in value if type(item) in _NESTED)
    if type(value) is dict and depth:
        return sum(_count(item, depth - 1) for item in value.values() if type(item) in _NESTED)
    return 0


def _with_lists(value: Any, depth: int) -> Any:
    if type(value) is NumberArray:
        return value.as_lists()
    if type(value) is list and depth:
        return [_with_lists(item, depth - 1) if type(item) in _NESTED else item for item in value]
    if type(value) is dict and depth:
        return {
            key: _with_lists(item, depth - 1) if type(item) in _NESTED else item
            for key, item in value.items()
        }
    return value


def _loads_without_arrays(body: bytes, found: list[tuple[int, int, NumberArray]]) -> Any:
    """Return the JSON value with its arrays; ``None`` where that is not certain to be right."""
    parts, placeholders, position = [], {}, 0
    for i, (start, end, numbers) in enumerate(found):
        name = f"{_SECRET}{i}"
        placeholders[name] = numbers
        parts += [body[position:start], f'"{name}"'.encode()]
        position = end
    parts.append(body[position:])
    remainder = b"".join(parts)
    admit_text(remainder)
    try:
        document = orjson.loads(remainder)
    except orjson.JSONDecodeError:
        return None
    if type(document) is not dict and type(document) is not list:
        return None
    _put_back(document, placeholders, _DEEPEST - 1)
    return None if placeholders else document


def _put_back(value: Any, placeholders: dict[str, NumberArray], depth: int) -> None:
    """Replace placeholders in ``value`` by their arrays, and remove them from the dict."""
    items = value.items() if type(value) is dict else enumerate(value)
    for key, item in items:
        kind = type(item)
        if kind is str:
            numbers = placeholders.pop(item, None)
            if numbers is not None:
                value[key] = numbers
        elif (kind is dict or kind is list) and depth:
            _put_back(item, placeholders, depth - 1)
        if not placeholders:
            return


def _spans(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of what may be arrays of numbers: between strings, from [ to ]."""
    for start, end in _gaps(_without_escapes(body)):
        first = body.find(b"[", start, end)
        if first >= 0:
            brace = body.find(b"}", first, end)
            last = body.rfind(b"]", first, end if brace < 0 else brace)
            if last - first >= _SHORTEST:
                yield first, last + 1


def _without_escapes(body: bytes) -> bytes:
    """Return the body with quotation marks only where strings begin and end."""
    if b"\\" not in body:
        return body
    return body.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def _gaps(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the long stretches outside of strings."""
    quotes, at = [-1], text.find(b'"')
    while at >= 0 and len(quotes) <= _FEW_QUOTES:
        quotes.append(at)
        at = text.find(b'"', at + 1)
    if at < 0:
        quotes.append(len(text))
        for i in range(0, len(quotes) - 1, 2):
            if quotes[i + 1] - quotes[i] > _SHORTEST:
                yield quotes[i] + 1, quotes[i + 1]
        return
    every = np.flatnonzero(np.frombuffer(text, np.uint8) == _QUOTE)
    bounds = np.concatenate(([-1], every, [len(text)]))
    starts, ends = bounds[:-1:2], bounds[1::2]
    for i in np.flatnonzero(ends - starts > _SHORTEST).tolist():
        yield int(starts[i]) + 1, int(ends[i])
