"""Bad requests and their exact answers: how they are made of good ones."""

from dataclasses import dataclass, field
from typing import Any

MAX_ROWS, MAX_ERRORS = 50, 4
CODES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
CODES |= {413: "PAYLOAD_TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE"}
JSON = "application/json"


@dataclass
class Case:
    """A bad request and its answer.

    Attributes:
        target: model and verb.
        body: JSON to be, or bytes that are sent as they are.
        wrong: the messages by path; or the sentence, where there are no details.
        more: whether there are more problems than are listed.
        status: the answer's.
        method: the request's.
        headers: the request's.
    """

    target: str
    body: Any
    wrong: dict[str, str] | str
    more: bool = False
    status: int = 400
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self) -> dict[str, Any]:
        """Return the whole body that is expected."""
        code = {"code": CODES[self.status]}
        if isinstance(self.wrong, str):
            return {"error": self.wrong} | code
        path, message = next(iter(self.wrong.items()))
        error = message if path == "body" else f"{path}: {message}"
        if self.more:
            error += f" (The first of more than {MAX_ERRORS} problems.)"
        elif len(self.wrong) > 1:
            error += f" (The first of {len(self.wrong)} problems.)"
        details = {path: [message] for path, message in self.wrong.items()}
        return {"error": error} | code | {"details": details}


AFFINE = {"x": [1, 2], "text": "quiet"}
TYPES = {
    "small": -128,
    "big": 2**64 - 1,
    "whole": 5,
    "half": 1.5,
    "double": 1e300,
    "flag": True,
    "grade": 2,
    "level": 0.5,
    "note": "fine",
    "series": [1, 2.5],
    "gaps": [None, 2],
    "tags": ["a", {"b64": "/w=="}],
}
CAR = {
    "cylinders": 4,
    "displacement": 97,
    "horsepower": 46,
    "weight": 1835,
    "acceleration": 20.5,
    "model_year": 70,
    "origin": "europe",
}
IMAGE = [[0] * 28] * 28


def affine(wrong: dict[str, str], *rows: Any, more: bool = False) -> Case:
    """Ask ``affine`` about rows that differ from a good one."""
    return Case("affine:predict", {"instances": merged(AFFINE, rows)}, wrong, more)


def types(wrong: dict[str, str], *rows: Any, more: bool = False) -> Case:
    """Ask ``types`` about rows that differ from a good one."""
    return Case("types:predict", {"instances": merged(TYPES, rows)}, wrong, more)


def car(wrong: dict[str, str], *rows: Any, more: bool = False) -> Case:
    """Ask ``mpg`` about cars that differ from a good one."""
    return Case("mpg:predict", {"instances": merged(CAR, rows)}, wrong, more)


def merged(good: dict[str, Any], rows: Any) -> list[Any]:
    return [{**good, **row} if isinstance(row, dict) else row for row in rows]


def columns(**inputs: Any) -> dict[str, Any]:
    """Return one good row of ``types`` as columns, but for ``inputs``."""
    return {"inputs": {name: [value] for name, value in TYPES.items()} | inputs}


def image(value: Any, wrong: dict[str, str] | str, more: bool = False) -> Case:
    """Ask ``clothing`` about one image."""
    return Case("clothing:predict", {"instances": [value]}, wrong, more)


def shapes(signature: str, body: dict[str, Any], wrong: dict[str, str] | str) -> Case:
    return Case("shapes:predict", {"signature_name": signature, **body}, wrong)


def raw(body: bytes, wrong: dict[str, str] | str, target: str = "affine:predict") -> Case:
    return Case(target, body, wrong)


def path(target: str, wrong: str, status: int = 404, method: str = "POST", **headers: str) -> Case:
    body = b'{"instances": [{"x": [1, 2], "text": "quiet"}]}'
    return Case(target, body, wrong, False, status, method, headers)
