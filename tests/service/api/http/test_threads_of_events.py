"""Requests that wait for the event store, and others that do not."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from service.events.errors import StoreError
from tests.savedmodels.affine import publish_affine
from tests.service.conftest import MakeApp
from tests.waiting import eventually

THREADS = 2
FEEDBACK = {"feedback": [{"id": "a", "row": 0, "truth": 1}]}


def test_an_event_store_that_does_not_answer_holds_up_no_probe(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path / "models")
    app = make_app(events=str(tmp_path / "events.db"), threads=THREADS)
    store = app.extensions["events"].store
    waiting: list[str] = []
    answers: dict[str, TestResponse] = {}
    fail = threading.Event()

    def hang(*_: object) -> None:
        waiting.append(threading.current_thread().name)
        fail.wait()
        raise StoreError("It does not answer.")

    for method in ("find_all", "hand_out", "audited"):
        monkeypatch.setattr(store, method, hang)
    client = app.test_client
    model = "/v1/models/affine"
    asked: dict[str, Callable[[], TestResponse]] = {
        "feedback": lambda: client().post(f"{model}:feedback", json=FEEDBACK),
        "audits": lambda: client().get(f"{model}/audits"),
        "drift": lambda: client().get(f"{model}/drift"),
        "drift of a version": lambda: client().get(f"{model}/versions/1/drift"),
    }
    probe: dict[str, Callable[[], TestResponse]] = {"probe": lambda: client().get("/readyz")}
    asking = [
        threading.Thread(target=lambda name=name, ask=ask: answers.update({name: ask()}))
        for name, ask in {**asked, **probe}.items()
    ]
    try:
        for thread in asking[:-1]:
            thread.start()
        eventually(lambda: len(waiting) == THREADS)
        asking[-1].start()
        eventually(lambda: answers, 20)
        assert list(answers) == ["probe"]
    finally:
        fail.set()
        for thread in asking:
            thread.join()
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "feedback": 503,
        "audits": 503,
        "drift": 200,
        "drift of a version": 200,
        "probe": 200,
    }
