"""Events of a service with two workers that are killed, and feedback that comes later."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import requests

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

BODY = {"signature_name": "only_y", "instances": [[1, 2], [3, 4]]}


def stored(file: Path) -> set[str]:
    try:
        # Never made by who reads it.
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
            return {name for (name,) in reader.execute("SELECT request_id FROM understudy_events")}
    except sqlite3.OperationalError:
        return set()  # A busy machine has no tables yet, or has the file locked just now.


def ask(service: Service, ids: list[str]) -> list[str]:
    """Predict over connections of their own, and return the ids of those that were answered."""
    answered = []
    for each in ids:
        try:
            response = service.post(
                "/v1/models/affine:predict", BODY, headers={"X-Request-Id": each}
            )
        except requests.ConnectionError:
            continue  # Its worker was killed.
        if response.ok:
            answered.append(each)
    return answered


def test_a_worker_that_is_killed_loses_its_queue_and_nothing_else(
    start_service: StartService, tmp_path: Path
) -> None:
    publish_affine(tmp_path / "models")
    file = tmp_path / "events.db"
    service = start_service(
        tmp_path / "models", UNDERSTUDY_EVENTS=str(file), UNDERSTUDY_EVENTS_RATE="1"
    )
    first = ask(service, [f"before-{number}" for number in range(30)])
    assert len(first) == 30
    eventually(lambda: stored(file) == set(first))

    # While it writes.
    answered = ask(service, [f"during-{number}" for number in range(30)])
    killed = service.workers()
    os.kill(killed[0], signal.SIGKILL)
    eventually(lambda: len(set(service.workers()) - set(killed)) == 1)
    later = ask(service, [f"after-{number}" for number in range(30)])
    eventually(lambda: stored(file) >= {*first, *later})
    assert stored(file) <= {*first, *answered, *later}
    with closing(sqlite3.connect(file)) as reader:
        assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    # Feedback, through whichever worker.
    for path, item in (
        ("", {"id": "before-3", "row": 1, "truth": 12}),
        ("", {"id": "after-3", "truth": {"y": 5}}),
    ):
        response = service.post(f"/v1/models/affine{path}:feedback", {"feedback": [item]})
        assert response.json()["stored"] == 1, response.text
    metrics = service.get("/metrics").text
    assert 'understudy_feedback_total{model="affine",result="stored",source="user"} 2.0' in metrics
    assert "understudy_event_store_problem 0.0" in metrics

    # What waits is written when the service stops.
    last = ask(service, [f"last-{number}" for number in range(10)])
    assert service.stop() == 0
    assert stored(file) >= set(last)
    assert str(file) not in service.errors.read_text()
