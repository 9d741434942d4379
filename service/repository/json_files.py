"""JSON files beside a model: read strictly, written atomically."""

import json
import math
from pathlib import Path
from typing import Any

from service.repository.atomic_files import write_atomically
from service.repository.errors import RepositoryError
from service.repository.safe_open import MOST_BYTES, read_file

_SHORT = 60
# Far more than tensors have dimensions; those who read a value may call themselves for each.
_MOST_DEPTH = 100


def read_object(path: Path, *, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Return the JSON object in ``path``.

    Args:
        path: the file.
        most_bytes: the most bytes that it may have.

    Raises:
        RepositoryError: the file cannot be read, is too large, is not strict JSON, has an object
            with two members of one name, holds no object or a number beyond float64, or is nested
            too deeply.
    """
    try:
        data = read_file(path, most_bytes=most_bytes)
    except OSError as error:
        raise RepositoryError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return parse_object(data, path.name)


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object that a file's bytes hold.

    Args:
        data: the bytes.
        name: the file's, for messages.

    Raises:
        RepositoryError: as ``read_object``, but for what reading does.
    """
    try:
        value = json.loads(
            data,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique_members,
        )
        if isinstance(value, dict | list) and _is_deep(value):
            raise RepositoryError(f"{name} nests lists or objects {_MOST_DEPTH} times.")
        if b"\\ud" in data.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise RepositoryError(f"{name} is not text: {half} is half a character.") from error
    except _NumberError as error:
        raise RepositoryError(f"{name} holds a number beyond float64: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise RepositoryError(f"{name} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise RepositoryError(f"{name} must hold a JSON object, not {shown(value)}.")
    return value


def shown(value: Any) -> str:
    """Return a JSON value as messages show it: as JSON, and cut to a line's length."""
    try:
        text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    except RecursionError:  # It nests as deeply as could just be read.
        text = "lists or objects within one another"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."


def read_optional(path: Path, *, most_bytes: int = MOST_BYTES) -> dict[str, Any] | None:
    """Return the JSON object in ``path``, or ``None`` when there is no such file.

    Args:
        path: the file.
        most_bytes: the most bytes that it may have.

    Raises:
        RepositoryError: as ``read_object``.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # It may be there: let reading it say what is wrong.
    return read_object(path, most_bytes=most_bytes)


def write_object(path: Path, value: dict[str, Any]) -> None:
    """Write ``value`` to ``path`` so that a reader sees the old file or the new one, never half.

    Raises:
        OSError: the file cannot be written.
        ValueError: ``value`` holds a NaN or an infinity, which JSON does not have.
    """
    write_atomically(path, object_text(value), durable=True)


def object_text(value: dict[str, Any]) -> bytes:
    """Return a JSON object as it is written to a file.

    Raises:
        ValueError: ``value`` holds a NaN or an infinity, which JSON does not have.
    """
    return f"{json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)}\n".encode()


class _NumberError(ValueError):
    """A number is larger than any of those that it is compared with."""


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _NumberError(shown(text).strip('"'))
    return number


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_MOST_DEPTH):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"{shown(twice)} stands twice in one object")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
