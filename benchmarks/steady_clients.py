"""Clients that ask without pause over connections that stay open, and remember every answer."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_VERSION = re.compile(rb"x-model-version: (\d+)", re.IGNORECASE)
# Before a client comes back to a service that took its connection away.
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        asked_at: when the request was sent, on the system-wide monotonic clock, in seconds.
        seconds: until the answer was whole.
        connection: which connection it came over.
        question: which of the requests it answers.
        status: its HTTP status; 0 when the connection broke.
        version: the version that its header names; 0 when there is none.
        prediction: the first prediction; ``None`` when there is none.
    """

    asked_at: float
    seconds: float
    connection: int
    question: int
    status: int
    version: int
    prediction: Any


@dataclass(frozen=True, slots=True)
class Target:
    """What requests are sent to: a service, a path, and bodies that are sent in turn.

    Attributes:
        host: the service's host.
        port: its port.
        path: of every request.
        bodies: the requests' bodies, JSON.
    """

    host: str
    port: int
    path: str
    bodies: Sequence[bytes]

    def request(self, question: int) -> bytes:
        """Return a whole request, head and body."""
        body = self.bodies[question]
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def watch(target: Target, connections: int, seconds: float) -> list[Answer]:
    """Ask over ``connections`` at once for ``seconds``, and return all answers in order."""
    deadline = time.monotonic() + seconds
    answers: list[Answer] = []
    asyncio.run(
        send_requests(target, connections, lambda: time.monotonic() < deadline, answers.append)
    )
    return sorted(answers, key=lambda answer: answer.asked_at)


async def send_requests(
    target: Target,
    connections: int,
    goes_on: Callable[[], bool],
    on_answer: Callable[[Answer], None],
    rate: float | None = None,
) -> None:
    """Send requests over ``connections`` at once while ``goes_on`` returns true.

    Args:
        target: the service, and what it is asked.
        connections: how many clients ask.
        goes_on: whether they are to ask again.
        on_answer: is called with each answer.
        rate: the most requests a second of all clients together; ``None`` asks without pause.
    """
    pace_s = 0.0 if rate is None else connections / rate
    start = time.monotonic()
    await asyncio.gather(
        *(
            _client(
                target, number, goes_on, on_answer, start + number * pace_s / connections, pace_s
            )
            for number in range(connections)
        )
    )


async def _until(due: float, goes_on: Callable[[], bool]) -> None:
    """Wait for a moment, or until it does not go on any more."""
    while goes_on() and (left := due - time.monotonic()) > 0:
        await asyncio.sleep(min(left, _PAUSE_S))


async def _client(
    target: Target,
    number: int,
    goes_on: Callable[[], bool],
    on_answer: Callable[[Answer], None],
    due: float,
    pace_s: float,
) -> None:
    requests = [target.request(question) for question in range(len(target.bodies))]
    question = number % len(requests)
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while goes_on():
        if pace_s:
            await _until(due, goes_on)
            if not goes_on():
                break
            # What could not be asked in time is left out: a rate is no backlog.
            due = max(due + pace_s, time.monotonic())
        asked_at = time.monotonic()
        status, version, prediction = 0, 0, None
        try:
            if streams is None:
                streams = await asyncio.open_connection(target.host, target.port)
            status, version, prediction, stays = await _ask(*streams, requests[question])
            if not stays:
                await _close(streams[1])
                streams = None
        except (OSError, asyncio.IncompleteReadError):
            # A broken connection is one failure; the client goes on over a new one.
            if streams is not None:
                await _close(streams[1])
                streams = None
            await asyncio.sleep(_PAUSE_S)
        seconds = time.monotonic() - asked_at
        on_answer(Answer(asked_at, seconds, number, question, status, version, prediction))
        question = (question + 1) % len(requests)
    if streams is not None:
        await _close(streams[1])


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, int, Any, bool]:
    """Return status, version, first prediction, and whether the connection stays open."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length, version = _LENGTH.search(head), _VERSION.search(head)
    answer = await reader.readexactly(int(length[1]) if length else 0)
    status = int(head.split(b" ", 2)[1])
    prediction = json.loads(answer)["predictions"][0] if status == 200 else None
    stays = b"\r\nconnection: close" not in head.lower()
    return status, int(version[1]) if version else 0, prediction, stays


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
