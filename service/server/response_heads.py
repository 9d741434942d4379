"""Heads of answers, as bytes."""

from collections.abc import Mapping
from http import HTTPStatus

from service.api.http.responses import Response

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}


def head_of(answer: Response, headers: Mapping[str, str], date: str, *, closes: bool) -> bytes:
    """Return the head of an answer of known length.

    Args:
        answer: the answer.
        headers: headers besides the answer's own.
        date: the time, as ``Date`` has it (RFC 9110, 5.6.7).
        closes: whether the connection ends with it.
    """
    status = _STATUS_LINES.get(answer.status) or f"HTTP/1.1 {answer.status} Unknown\r\n"
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if answer.headers:
        lines += "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()])
    if closes:
        lines += "Connection: close\r\n"
    return (
        f"{status}Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
        f"Date: {date}\r\n{lines}\r\n"
    ).encode("latin-1")
