"""``GET /v1/models/<m>/drift`` of an application whose models are asked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from service.events.errors import StoreError
from service.monitoring.drift.drift_monitor import DriftMonitor
from service.repository.model_store import Store
from service.repository.reference.reference_file import REFERENCE
from tests.savedmodels.affine import fill_affine, publish_affine
from tests.savedmodels.drifting import ROWS, publish_sign
from tests.service.api.openapi.test_response_schemas import Checker
from tests.service.conftest import served
from tests.waiting import eventually


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_sign(root)

    def fill(directory: Path) -> None:
        fill_affine(directory)
        (directory / REFERENCE).write_text('{"format": 9}')

    Store(root).publish("affine", fill)
    with served(root, request.param) as client:
        yield client


def ask(client: FlaskClient, x: np.ndarray) -> None:
    body = json.dumps({"instances": [{"x": float(value)} for value in x]})
    assert client.post("/v1/models/sign:predict", data=body).status_code == 200


def test_drift_is_told_in_words_and_numbers(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor: DriftMonitor = client.application.extensions["drift"]
    moment = [0.0]
    monkeypatch.setattr(monitor, "_clock", lambda: moment[0])
    monitor.end_due_blocks()
    report = client.get("/v1/models/sign/drift").json
    assert report["state"] == "waiting"
    assert report["expected_accuracy"]["live"] is None
    assert report["reference"] == {"rows": ROWS, "origin": "the test set", "held_out": True}

    random = np.random.default_rng(1)
    states = []
    for shift in (0, 0, 3, 3, 3):
        for _ in range(4):
            ask(client, random.normal(size=64) + shift)
        moment[0] += 61
        monitor.count()
        monitor.end_due_blocks()
        states.append(client.get("/v1/models/sign/versions/1/drift").json["state"])
    assert states[:2] == ["no drift", "no drift"]
    assert states[-1] == "drift"
    report = client.get("/v1/models/sign/drift").json
    assert report["rows"] == 5 * 4 * 64
    assert report["evidence"] >= report["alarm_at"]
    assert report["fields"][0]["jensen_shannon_distance"] > 0.3
    assert "inputs.x is above" in next(
        field["sentence"] for field in report["fields"] if field["field"] == "inputs.x"
    )
    live = report["expected_accuracy"]["live"]
    assert live["rows"] == report["rows"]
    assert live["low"] < live["value"] < live["high"]
    assert live["value"] > report["expected_accuracy"]["reference"]


def test_a_version_without_a_reference_says_so(client: FlaskClient) -> None:
    # That of ``affine`` cannot be used, which does not keep the version from serving.
    report = client.get("/v1/models/affine/drift").json
    assert report["state"] == "no reference"
    assert report["sentence"] == (
        "This version brings no reference, so that there is nothing to compare live rows with. "
        "Versions bring one that were trained with 100 test rows or more, or imported with as many "
        "samples."
    )


def test_what_is_not_there_is_not_found(client: FlaskClient) -> None:
    assert client.get("/v1/models/none/drift").status_code == 404
    assert client.get("/v1/models/sign/versions/9/drift").status_code == 404


def test_it_can_be_off(tmp_path: Path) -> None:
    publish_sign(tmp_path)
    with served(tmp_path, "loop", drift=False) as client:
        ask(client, np.zeros(3))
        assert client.get("/v1/models/sign/drift").json["state"] == "off"
        assert b"understudy_field_rows_total{" not in client.get("/metrics").data


def label_audits(client: FlaskClient, *, right: bool) -> int:
    """Answer 100 audits: with what the model said, or with the opposite; return how many came."""
    store = client.application.extensions["events"].store
    audits = client.get("/v1/models/sign/audits?count=100").json["audits"]
    truths = []
    for audit in audits:
        event = store.find("sign", audit["id"])
        said = event.row_of_outputs(audit["row"])["label"]
        truth = said if right else {"yes": "no", "no": "yes"}[said]
        truths.append({"id": audit["id"], "row": audit["row"], "truth": truth, "source": "audit"})
    if truths:
        answer = client.post("/v1/models/sign:feedback", json={"feedback": truths})
        assert answer.json["stored"] == len(truths)
    return len(truths)


@pytest.mark.parametrize("lane", ["loop", "flask"])
def test_live_quality_is_told_from_audits(
    tmp_path: Path, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_sign(tmp_path)
    with served(tmp_path, lane, events=str(tmp_path / "events.db"), events_rate=1.0) as client:

        def quality() -> dict[str, Any]:
            template = "/v1/models/sign/drift"
            return checker.ask("GET", "/v1/models/sign/drift", template).json["quality"]

        def ask_and_label(count: int, *, right: bool) -> None:
            for i in range(count):
                ask(client, np.array([1.0 - 2 * (i % 2)]))
            labelled = 0

            def all_are_labelled() -> bool:
                nonlocal labelled
                labelled += label_audits(client, right=right)
                return labelled == count

            eventually(all_are_labelled)

        checker = Checker(client)
        client.application.extensions["events"].writer.start()
        assert quality()["state"] == "open"
        assert quality()["audits"] == 0
        ask_and_label(40, right=True)
        assert (quality()["state"], quality()["live"]["value"]) == ("open", 0.0)
        ask_and_label(60, right=False)
        found = quality()
        assert (found["state"], found["audits"]) == ("worse", 100)
        assert found["live"]["value"] == pytest.approx(0.6)
        assert found["live"]["low"] > 0.08
        assert "Over the last 100 audits the error rate is 0.6" in found["sentence"]

        def gone(*_: object) -> None:
            raise StoreError("/srv/events.db cannot be used: disk I/O error")

        monkeypatch.setattr(client.application.extensions["events"].store, "audited", gone)
        client.application.extensions["events"].writer.stop(10)
        assert quality()["state"] == "unknown"
        # Where the store is stands in the log alone.
        assert quality()["sentence"] == "The event store cannot be read now."


def test_live_quality_is_unknown_without_a_store_or_an_interval(
    client: FlaskClient, tmp_path: Path
) -> None:
    known = client.get("/v1/models/sign/drift").json["quality"]
    assert known["state"] == "unknown"
    assert "UNDERSTUDY_EVENTS" in known["sentence"]
    publish_affine(tmp_path)
    with served(tmp_path, "flask", events=str(tmp_path / "events.db")) as other:
        known = other.get("/v1/models/affine/drift").json["quality"]
        assert known["state"] == "unknown"
        assert "states no interval of the quality" in known["sentence"]
