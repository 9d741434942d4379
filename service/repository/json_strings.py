"""Strings of a model in JSON: text, or ``{"b64": "<base64>"}`` for what is not text.

TensorFlow Serving writes bytes so (util/json_tensor.cc), in requests, answers and golden examples
alike.
"""

import base64
from typing import Any

# The URL-safe alphabet's digits to the other's, and white space to nothing.
_AS_BASE64 = {ord("-"): "+", ord("_"): "/", **dict.fromkeys(map(ord, " \t\r\n"), None)}


def string_from_json(value: Any) -> bytes | None:
    """Return the bytes that a JSON value stands for; ``None`` when it stands for none."""
    match value:
        case str():
            return value.encode()
        case {"b64": str(text), **rest} if not rest:
            return _decode(text)
        case _:
            return None


def _decode(text: str) -> bytes | None:
    """Return what base64 stands for, as it is found: ``None`` when it is not base64.

    That is RFC 4648's, in either alphabet, with its padding or without, and with line breaks and
    blanks wherever MIME, PEM and people put them.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    bare = text.translate(_AS_BASE64)
    digits = bare.rstrip("=")
    padding = len(bare) - len(digits)
    if padding and (padding > 2 or len(bare) % 4):
        return None
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        return None


def is_text(value: str) -> bool:
    """Whether a file can hold a string: it has no half of a character.

    Python reads bytes of a command line that are not UTF-8 as such halves, and JSON may spell them.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def string_to_json(value: bytes, *, as_base64: bool = False) -> str | dict[str, str]:
    """Return the JSON of a string: text where it is UTF-8, else base64.

    Args:
        value: the string.
        as_base64: whether text becomes base64 as well.
    """
    if not as_base64:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(value).decode()}
