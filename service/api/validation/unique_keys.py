"""JSON objects in which a name stands twice: refused, because parsers disagree on what it means.

RFC 8259, section 4, leaves it open: some parsers take the last value, others the first or both. A
client that sends two would get the answer to a question it may not have asked.

orjson keeps one of the two silently. So the text is compared with what it became: each name in a
text is followed by a colon, and of two equal names one is gone.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from service.api.validation.problems import invalid_request, name_in_path

# The names in a text, and perhaps more: an escaped quotation mark before a colon looks like one.
_NAME_END = re.compile(rb'"[ \t\r\n]*:')

# In bytes: up to one name for so many, names are looked for one by one.
_RARE = 200


def check_unique_keys(text: bytes, document: Any) -> None:
    """Check that no object in a JSON text has two members of one name.

    Args:
        text: the well-formed text.
        document: what it was parsed to; values that hold no names may be of any type.

    Raises:
        InvalidRequestError: a name stands twice; the error names the place.
    """
    names = _count_names(document)
    # Within strings there may be colons, too, so more of them prove nothing yet.
    if _has_more_colons(text, names) and len(_NAME_END.findall(text)) > names:
        path = _repeated(text)
        if path is not None:
            raise invalid_request(path, "This name stands twice in its object.")


def _count_names(document: Any) -> int:
    """Return how many members the objects of a document have in all."""
    count = 0
    # In a list, so that the loop looks at the document as at any other value.
    pending: list[Iterable[Any]] = [(document,)]
    while pending:
        for value in pending.pop():
            if type(value) is dict:
                count += len(value)
                pending.append(value.values())
            elif type(value) is list:
                pending.append(value)
    return count


def _has_more_colons(text: bytes, count: int) -> bool:
    if count * _RARE > len(text):
        return text.count(b":") > count
    # ``find`` is many times as fast as ``count``, as long as it finds little.
    at = -1
    for _ in range(count + 1):
        at = text.find(b":", at + 1)
        if at < 0:
            return False
    return True


def _repeated(text: bytes) -> str | None:
    """Return the path of a name that stands twice; ``None`` where there is none."""
    # By identity, with the object itself: one that is dropped would leave its identity to another.
    repeated: dict[int, tuple[str, dict[str, Any]]] = {}

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                repeated.setdefault(id(found), (name, found))
            found[name] = value
        return found

    try:
        # Of a number, only its place matters; small whole numbers take no memory of their own.
        document = json.loads(text, object_pairs_hook=members, parse_int=len, parse_float=len)
    except RecursionError:  # Lists within lists, a thousand times or more: nothing takes these.
        return None
    if not repeated:
        return None
    # Iterators, since a list of all paths would take many times the text.
    left = [iter([("", document)])]
    while left:
        path, value = next(left[-1], ("", None))
        if value is None:
            left.pop()
        elif id(value) in repeated:
            return _joined(path, repeated[id(value)][0])
        else:
            left.append(_containers(path, value))
    return None


def _containers(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the objects and lists within one, with their paths."""
    if type(value) is dict:
        for name, item in value.items():
            if type(item) is dict or type(item) is list:
                yield _joined(path, name), item
    else:
        for i, item in enumerate(value):
            if type(item) is dict or type(item) is list:
                yield f"{path}[{i}]", item


def _joined(path: str, name: str) -> str:
    return f"{path}.{name_in_path(name)}" if path else name_in_path(name)
