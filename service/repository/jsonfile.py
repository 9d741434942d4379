"""JSON files beside a model: read strictly, written atomically."""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from service.repository.errors import RepositoryError
from service.repository.files import open_file

_SHORT = 60
# More than any of our files needs, and not so much that reading it by mistake does harm.
_MOST_BYTES = 64 * 2**20


def read_object(path: Path, *, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """Return the JSON object in ``path``.

    Args:
        path: the file.
        most_bytes: the most bytes that it may have.

    Raises:
        RepositoryError: the file cannot be read, is too large, is not strict JSON, or holds no
            object.
    """
    try:
        data = _read(path, most_bytes)
        value = json.loads(data, parse_constant=_refuse_constant)
        if b"\\ud" in data.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except OSError as error:
        raise RepositoryError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise RepositoryError(f"{path.name} is not text: {half} is half a character.") from error
    except (ValueError, RecursionError) as error:
        raise RepositoryError(f"{path.name} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise RepositoryError(f"{path.name} must hold a JSON object, not {shown(value)}.")
    return value


def shown(value: Any) -> str:
    """Return a JSON value as messages show it: as JSON, and cut to a line's length."""
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."


def read_optional(path: Path, *, most_bytes: int = _MOST_BYTES) -> dict[str, Any] | None:
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
        ValueError: ``value`` holds a NaN or an infinity, which JSON does not have.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    draft = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _read(path: Path, most_bytes: int) -> bytes:
    with open_file(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise RepositoryError(f"{path.name} is larger than {most_bytes} bytes.")
    return data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
