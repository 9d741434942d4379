"""Files of protobuf's text format, read strictly: what is wrong is named with its line."""

import re
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from service.repository.errors import RepositoryError
from service.repository.safe_open import read_file

_MOST_BYTES = 2**20
# Messages within messages; more is no configuration.
_MOST_DEPTH = 50
# What protobuf puts before its sentence.
_PLACE = re.compile(r"^(\d+:\d+ : )?('.*': )?(?P<what>.*)", re.DOTALL)
_PACKAGE = re.compile(r"[A-Za-z_.]+\.(?=[A-Z])")


def read_text_proto(path: Path, cls: Any) -> Any:
    """Return the message in a file.

    Args:
        path: the file.
        cls: the message's class.

    Raises:
        RepositoryError: the file cannot be read, or holds no such message; it names the place.
    """
    try:
        data = read_file(path, most_bytes=_MOST_BYTES)
    except OSError as error:
        raise RepositoryError(f"{path}: It cannot be read: {error.strerror or error}.") from error
    return parse_text_proto(data, cls, str(path))


def parse_text_proto(data: bytes, cls: Any, name: str) -> Any:
    """Return the message in the text ``data``.

    Args:
        data: the text, in UTF-8.
        cls: the message's class.
        name: of the file, for messages.

    Raises:
        RepositoryError: it is no such message; it names the place.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RepositoryError(f"{name}, line {line}: It is not text in UTF-8.") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise RepositoryError(f"{name}, line {line}: It is not text: it holds a NUL.")
    if _is_deep(text):
        raise RepositoryError(f"{name}: It nests messages more than {_MOST_DEPTH} times.")
    try:
        return text_format.Parse(text, cls())
    except (text_format.ParseError, ValueError, UnicodeError) as error:
        line, column = getattr(error, "GetLine", int)(), getattr(error, "GetColumn", int)()
        place = f", line {line}, column {column}" if line else ""
        found = _PLACE.match(str(error))
        what = _PACKAGE.sub("", found["what"] if found else str(error)).strip().rstrip(".")
        raise RepositoryError(f"{name}{place}: {what}.") from error


def _is_deep(text: str) -> bool:
    """Whether brackets nest more than a configuration's do; the parser calls itself for each."""
    depth = most = 0
    for character in re.findall(r"[{}<>]", text):
        depth += 1 if character in "{<" else -1
        most = max(most, depth)
    return most > _MOST_DEPTH
