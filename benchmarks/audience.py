"""Clients that ask without pause over connections that stay open, and remember every answer."""

import asyncio
import json
import re
import time
from dataclasses import dataclass
from typing import Any

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_VERSION = re.compile(rb"x-model-version: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        asked_at: when the request was sent, on the system-wide monotonic clock, in seconds.
        seconds: until the answer was whole.
        connection: which connection it came over.
        status: its HTTP status; 0 when the connection broke.
        version: the version that its header names; 0 when there is none.
        prediction: the first prediction; ``None`` when there is none.
    """

    asked_at: float
    seconds: float
    connection: int
    status: int
    version: int
    prediction: Any


def watch(port: int, path: str, body: bytes, connections: int, seconds: float) -> list[Answer]:
    """Ask over ``connections`` at once for ``seconds``, and return all answers in order."""
    return asyncio.run(_watch(port, path, body, connections, seconds))


async def _watch(
    port: int, path: str, body: bytes, connections: int, seconds: float
) -> list[Answer]:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    deadline = time.monotonic() + seconds
    answers: list[Answer] = []
    request = head.encode() + body
    await asyncio.gather(
        *(_client(port, request, number, deadline, answers) for number in range(connections))
    )
    return sorted(answers, key=lambda answer: answer.asked_at)


async def _client(
    port: int, request: bytes, number: int, deadline: float, answers: list[Answer]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (asked_at := time.monotonic()) < deadline:
        status, version, prediction = 0, 0, None
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length, found = _LENGTH.search(head), _VERSION.search(head)
            answer = await reader.readexactly(int(length[1]) if length else 0)
            status = int(head.split(b" ", 2)[1])
            version = int(found[1]) if found else 0
            prediction = json.loads(answer).get("predictions", [None])[0]
        except (OSError, asyncio.IncompleteReadError):
            # A broken connection is one failure; the client goes on over a new one.
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        seconds = time.monotonic() - asked_at
        answers.append(Answer(asked_at, seconds, number, status, version, prediction))
    writer.close()
