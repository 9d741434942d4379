"""How everything that is wrong with a request is reported, in all wire formats.

A check of one value, tensor or file raises ``InvalidValueError``, with a message for each index
into the value. A reader knows by which paths the client knows its values: it adds what the checks
raise, and what it finds itself, to the ``Problems`` of the request, which become one
``InvalidRequestError``. So a reader returns what it has read, and nothing else.
"""

import json
from collections.abc import Callable, Container, Iterable, Mapping
from heapq import nsmallest
from typing import Any

import marshmallow

from service.errors import InvalidRequestError, strip

# Of a name that a client chose, as messages repeat it.
LONGEST_NAME = 100

Index = tuple[int, ...]


class InvalidValueError(Exception):
    """A value is not what its field takes.

    Attributes:
        problems: the message for each offending place, by its index into the value; the empty index
            is the value as a whole.
    """

    def __init__(self, problems: Mapping[Index, str] | str) -> None:
        """An error with its messages; a string is the message of the value as a whole."""
        self.problems = {(): problems} if isinstance(problems, str) else problems
        super().__init__("; ".join(self.problems.values()))


class Problems:
    """What is wrong with one request, by path ("instances[3].x"); the empty path is the body."""

    __slots__ = ("_by_path", "limit")

    def __init__(self, limit: int) -> None:
        """A list without problems.

        Args:
            limit: the most problems that are listed.
        """
        self.limit = limit
        self._by_path: dict[str, tuple[tuple[Any, ...], list[str]]] = {}

    def __len__(self) -> int:
        """Return how many paths there are at which something is wrong."""
        return len(self._by_path)

    @property
    def are_too_many(self) -> bool:
        """Whether more has been found than is listed, so that it is no use to look further."""
        return len(self._by_path) > self.limit

    def add(self, path: str, *messages: str, order: tuple[Any, ...] = ()) -> None:
        """Add what is wrong at a path.

        Args:
            path: how the client knows the value.
            messages: a sentence each; they take the place of those that the path has.
            order: problems are listed in the order of these, then as they were added.
        """
        self._by_path[path] = (order, list(messages))

    def add_value(self, path: str | Callable[[Index], str], error: InvalidValueError) -> None:
        """Add what a check found to be wrong with a value.

        Args:
            path: of the value; or what returns the path of an index into it.
            error: what the check raised.
        """
        for index, message in error.problems.items():
            self.add(f"{path}{brackets(index)}" if isinstance(path, str) else path(index), message)

    def add_schema_errors(self, error: marshmallow.ValidationError) -> None:
        """Add what a schema found, by the names of its fields; the error is emptied."""
        self._add_nested(error.messages_dict, "")
        # marshmallow holds its own errors, and with them the document, in cycles.
        strip(error)

    def _add_nested(self, messages: Mapping[Any, Any], path: str) -> None:
        for key, value in messages.items():
            if key == "_schema":
                inner = path
            elif isinstance(key, int):
                inner = f"{path}[{key}]"
            else:
                inner = f"{path}.{name_in_path(key)}" if path else name_in_path(key)
            if isinstance(value, Mapping):
                self._add_nested(value, inner)
            else:
                self.add(inner, *value)

    def raise_if_any(self) -> None:
        """Raise all problems as one error, if there are any.

        Raises:
            InvalidRequestError: there are; see ``error``.
        """
        if self._by_path:
            raise self.error()

    def error(self) -> InvalidRequestError:
        """Return the error: the first problem as its sentence, those up to the limit as details."""
        found = sorted(self._by_path.items(), key=lambda item: item[1][0])
        shown = {path: messages for path, (_, messages) in found[: self.limit]}
        path, messages = next(iter(shown.items()))
        sentence = messages[0] if not path else f"{path}: {messages[0]}"
        if self.are_too_many:
            # How many more is not known: checks stop looking.
            sentence = f"{sentence} (The first of more than {self.limit} problems.)"
        elif len(found) > 1:
            sentence = f"{sentence} (The first of {len(found)} problems.)"
        details = {key or "body": texts for key, texts in shown.items()}
        return InvalidRequestError(sentence, details=details)


def invalid_request(path: str, message: str) -> InvalidRequestError:
    """Return the error of a request with which one thing is wrong."""
    problems = Problems(1)
    problems.add(path, message)
    return problems.error()


def name_in_path(name: str) -> str:
    """Return a client's own name as it stands in a path: cut, and as JSON if it cannot be seen."""
    name = name[:LONGEST_NAME]
    is_seen = name and name.isprintable() and name == name.strip()
    return name if is_seen else json.dumps(name)


def brackets(index: Iterable[int]) -> str:
    """Return an index into nested lists as it stands in a path: ``[3][0]``."""
    return "".join(f"[{i}]" for i in index)


def first_names(names: Iterable[str], limit: int) -> list[str]:
    """Return the first of a client's own names in alphabetical order, cut as messages repeat them.

    Args:
        names: any number of names.
        limit: the most problems that are listed; one more shows that there are more.
    """
    return nsmallest(limit + 1, {name[:LONGEST_NAME] for name in names})


def without_excess(data: dict[str, Any], known: Container[str], limit: int) -> dict[str, Any]:
    """Return an object with as many unknown keys as problems are listed, and one more.

    Without this, an object with a million unknown keys would keep a worker busy for seconds.

    Args:
        data: the object.
        known: the keys that it may have.
        limit: the most problems that are listed.
    """
    unknown: dict[str, str] = {}
    for key in data:
        if key not in known:
            unknown.setdefault(key[:LONGEST_NAME], key)
            if len(unknown) > limit:
                break
    else:
        return data
    kept = set(unknown.values())
    return {key: value for key, value in data.items() if key in known or key in kept}
