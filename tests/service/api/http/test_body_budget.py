"""The bytes of large bodies under way are bounded, and are given back however a request ends."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from service.api.http.body_budget import UNCOUNTED_BYTES, BodyBudget
from service.app import create_app
from service.asgi import Application
from service.errors import UnavailableError
from service.settings.settings import Settings

LARGE = 4 * UNCOUNTED_BYTES


def test_small_bodies_always_find_room_and_large_ones_by_what_has_come() -> None:
    budget = BodyBudget(LARGE)
    full, small, late = budget.open(), budget.open(), budget.open()
    full.add(LARGE)
    small.add(UNCOUNTED_BYTES)
    assert budget.held == LARGE
    late.add(UNCOUNTED_BYTES)
    with pytest.raises(UnavailableError) as refusal:
        late.add(1)
    assert refusal.value.headers == {"Retry-After": "1"}
    full.release()
    full.release()
    late.add(1)
    late.release()
    assert budget.held == 0


def _application(root: Path) -> Application:
    settings = Settings(models=root, workers=1, max_bodies_bytes=LARGE, max_body_bytes=10 * LARGE)
    return Application(create_app(settings), settings)


def _scope() -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v2/repository/index",
        "query_string": b"",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1),
    }


def _ask(
    application: Application, receive: Callable[[], Awaitable[dict[str, Any]]], *, cancel: bool
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        task = asyncio.ensure_future(application(_scope(), receive, send))
        if cancel:
            while not application.budget.held:
                await asyncio.sleep(0)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(run(), 30))
    return sent


def _message(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([_message(b" " * LARGE, more=True), _message(b"{}", more=False)], 503),
        ([_message(b" " * (LARGE - 2), more=True), _message(b"{}", more=False)], 200),
        ([_message(b" " * (LARGE - 2), more=True), {"type": "http.disconnect"}], None),
    ],
    ids=["too much", "fits", "gone"],
)
def test_what_a_body_held_is_given_back(
    tmp_path: Path, messages: list[dict[str, Any]], status: int | None
) -> None:
    application = _application(tmp_path)
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    sent = _ask(application, receive, cancel=False)
    assert (sent[0]["status"] if sent else None) == status
    assert application.budget.held == 0


def test_a_request_that_is_cancelled_while_it_is_read_gives_back(tmp_path: Path) -> None:
    application = _application(tmp_path)
    left = [_message(b" " * (LARGE - 2), more=True)]

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    assert _ask(application, receive, cancel=True) == []
    assert application.budget.held == 0
