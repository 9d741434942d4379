"""JSON files beside a model: read strictly, written atomically."""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from service.repository.errors import RepositoryError

_SHORT = 60


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``.

    Raises:
        RepositoryError: the file cannot be read, is not strict JSON, or holds no object.
    """
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except OSError as error:
        raise RepositoryError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise RepositoryError(f"{path.name} is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise RepositoryError(f"{path.name} must hold a JSON object, not {shown(value)}.")
    return value


def shown(value: Any) -> str:
    """Return a JSON value as messages show it: as JSON, and cut to a line's length."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."


def read_optional(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in ``path``, or ``None`` when there is no such file.

    Raises:
        RepositoryError: as ``read_object``.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # It may be there: let reading it say what is wrong.
    return read_object(path)


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


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
