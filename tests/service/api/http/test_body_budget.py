"""The bytes of large bodies under way are bounded, and are given back however a request ends."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from service.api.http.body_budget import UNCOUNTED_BYTES, BodyBudget
from service.app import create_app
from service.asgi import Application
from service.errors import UnavailableError
from service.settings.settings import Settings
from tests.service.access.keys import add_key

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


def _application(root: Path, **settings: Any) -> Application:
    bounds = {"max_bodies_bytes": LARGE, "max_body_bytes": 10 * LARGE}
    found = Settings(models=root, workers=1, **{**bounds, **settings})
    return Application(create_app(found), found)


def _scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v2/repository/index",
        "query_string": b"",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1),
        **changes,
    }


def _ask(
    application: Application,
    receive: Callable[[], Awaitable[dict[str, Any]]],
    *,
    cancel: bool,
    **changes: Any,
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        task = asyncio.ensure_future(application(_scope(**changes), receive, send))
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


@dataclass
class Guarded:
    """An application with keys, and the headers that its requests may have."""

    application: Application
    credentials: dict[str, list[tuple[bytes, bytes]]]

    def ask(
        self, method: str, path: str, credential: str, *, length: int = 0
    ) -> tuple[int, Any, int]:
        """Send ``LARGE`` bytes; return status, answer and the most bytes that were held meanwhile.

        Args:
            method: of the request.
            path: of the request.
            credential: what it shows; empty for nothing.
            length: what it announces; 0 for chunks.
        """
        headers = [(b"host", b"x"), *self.credentials.get(credential, [])]
        if length:
            headers.append((b"content-length", b"%d" % length))
        parts = [bytes(LARGE // 8)] * 8
        held = 0

        async def receive() -> dict[str, Any]:
            nonlocal held
            held = max(held, self.application.budget.held)
            return _message(parts.pop() if parts else b"", more=bool(parts))

        sent = _ask(
            self.application, receive, cancel=False, method=method, path=path, headers=headers
        )
        assert self.application.budget.held == 0
        return sent[0]["status"], orjson.loads(sent[1]["body"]), held


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    (tmp_path / "m").mkdir()
    file = tmp_path / "keys.json"
    key = add_key(file, "any")
    application = _application(
        tmp_path / "m", keys_file=file, admin_token="token", keys_for_reads=False
    )
    credentials = {
        "key": [(b"x-api-key", key.encode())],
        "token": [(b"authorization", b"Bearer token")],
        "wrong token": [(b"authorization", b"Bearer x")],
    }
    return Guarded(application, credentials)


@pytest.mark.parametrize("length", [0, LARGE])
@pytest.mark.parametrize("credential", ["", "wrong token"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/livez"),
        ("GET", "/v1/models"),
        ("POST", "/v2/repository/index"),
        ("POST", "/nowhere"),
        ("PUT", "/v1/models/m/policy"),
        ("OPTIONS", "/v1/models/m:predict"),
    ],
)
def test_a_stranger_s_body_takes_no_room_whatever_it_asks(
    guarded: Guarded, method: str, path: str, credential: str, length: int
) -> None:
    status, body, held = guarded.ask(method, path, credential, length=length)
    assert (status, held) == (413, 0)
    assert body == {
        "error": f"Expected a body of at most {UNCOUNTED_BYTES} bytes, as of each request without "
        "an API key that is known here.",
        "code": "PAYLOAD_TOO_LARGE",
    }


def test_the_bodies_of_those_who_are_known_may_be_large(guarded: Guarded) -> None:
    for method, path, credential in (
        ("PUT", "/v1/models/m/policy", "token"),
        ("POST", "/v1/models/m:feedback", "key"),
    ):
        status, _, held = guarded.ask(method, path, credential)
        assert status != 413
        # What came last was read as well.
        assert held == LARGE - LARGE // 8
