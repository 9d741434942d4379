"""Rollouts in an application: split, shadow, controller and routes together, in one process."""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.events.sqlite_database import SqliteDatabase
from service.repository.errors import RepositoryError
from service.repository.model_policy import begin_rollout, read_policy
from service.repository.model_store import Store
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import Rollout, RolloutRules, Stage
from service.rollout import deciding_replica, replica_counts, rollout_watch
from service.rollout.controlling_process import LOCK, ControllingProcess
from service.rollout.rollout_record import (
    begin_rollout_record,
    read_rollout_record,
    write_rollout_record,
)
from service.rollout.rollout_watch import RolloutWatch
from service.runtime.traffic_split import hash64
from service.settings.settings import Settings
from tests.savedmodels.classes import publish_kinds
from tests.savedmodels.trial import CLASSES, publish_trial
from tests.service.conftest import on_loop
from tests.waiting import eventually

ADMIN = {"Authorization": "Bearer secret"}
RULES = {
    "error_margin": 0.05,
    "step_s": 0,
    "bake_s": 0,
    "min_requests": 20,
    "shadow_batches": 60,
    "shadow_share": 1.0,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a champion and candidates of several kinds, each as a model of its own."""
    root = tmp_path_factory.mktemp("models")
    for kind in ("equal", "swapped", "nan", "worse"):
        publish_trial(root, model=kind, work=1)
        # Of one model alone requests are stored.
        rate = float(kind == "worse")
        policy = {"serve": {"versions": [1]}, "events": {"rate": rate}}
        (root / kind / "policy.json").write_text(json.dumps(policy))
        publish_trial(root, kind, model=kind, work=1, rare=0.05)
    publish_kinds(root)
    (root / "kinds" / "policy.json").write_text('{"serve": {"versions": [1]}}')
    publish_kinds(root, task="classification")
    return root


@pytest.fixture(scope="module")
def app(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = on_loop(
        Settings(
            models=models,
            poll_interval_s=0.05,
            quiet_s=0.0,
            workers=1,
            admin_token="secret",
            events=str(tmp_path_factory.mktemp("events") / "events.db"),
        )
    )
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    assert lifecycle.wait_until_settled(60)
    yield app
    lifecycle.stop()
    app.extensions["events"].writer.stop(10)


class Traffic:
    """Requests to one model, and which versions answered them."""

    def __init__(self, app: Flask, model: str) -> None:
        self._client = app.test_client()
        self._model = model
        self._random = np.random.default_rng(1)
        self.exposed = 0

    def send(self, path: str = "", *, below: float = 1.0, **headers: str) -> tuple[int, str]:
        """Ask about values below a bound; return status and version of the answer."""
        x = (self._random.random((1, CLASSES)) * below).round(4).tolist()
        response = self._client.post(
            f"/v1/models/{self._model}{path}:predict", json={"instances": x}, headers=headers
        )
        version = response.headers.get("X-Model-Version", "")
        self.exposed += version == "2" and not path
        return response.status_code, version

    def send_by(self, key: str, body: Any) -> tuple[int, str]:
        """Ask with a routing key; return status and version of the answer."""
        response = self._client.post(
            f"/v1/models/{self._model}:predict", json=body, headers={"X-Routing-Key": key}
        )
        return response.status_code, response.headers["X-Model-Version"]

    def send_for_bytes(self) -> int:
        """Ask for the answer as a tensor of bytes, which may be NaN; return the status."""
        x = self._random.random((1, CLASSES), np.float32)
        tensor = {"name": "x", "shape": x.shape, "datatype": "FP32", "data": x.ravel().tolist()}
        request = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
        return self._client.post(f"/v2/models/{self._model}/infer", json=request).status_code

    def state(self) -> dict[str, Any]:
        return self._client.get(f"/v1/models/{self._model}/rollout").get_json()

    def begin(self, **rules: Any) -> None:
        response = self._client.post(
            f"/v1/models/{self._model}:rollout",
            json={"candidate": 2, "rules": {**RULES, **rules}},
            headers=ADMIN,
        )
        assert response.status_code == 200, response.get_json()

    def until(self, *states: str) -> dict[str, Any]:
        def is_there() -> bool:
            for _ in range(20):
                self.send()
            return self.state()["state"] in states

        eventually(is_there, 180)
        return self.state()


def test_a_candidate_that_does_alike_goes_live(app: Flask, models: Path) -> None:
    traffic = Traffic(app, "equal")
    assert traffic.state()["state"] == "none"
    traffic.begin(percents=[50])
    # Before it leads, an explicit version is obeyed.
    eventually(lambda: traffic.send("/versions/2") == (200, "2"))
    traffic.until("canary", "rolled back")
    rollout = read_policy(models / "equal").rollout
    assert rollout is not None
    # A client of the candidate's whose requests both versions' contract refuses is no harm.
    mistaken = next(i for i in range(99) if hash64(rollout.id, "equal", f"{i}") < 0.5 * 2**64)
    # The policy is read before it is in force.
    eventually(lambda: traffic.send_by(f"{mistaken}", {})[1] == "2")
    for body in ({"instances": [{"x": "a"}]}, {}, []):
        assert traffic.send_by(f"{mistaken}", body) == (400, "2")
    found = traffic.until("live", "rolled back")
    assert found["state"] == "live", found
    assert [each["decision"] for each in found["decisions"]] == [
        "begin",
        "next step",
        "promoted",
        "live",
    ]
    assert found["stages"][0]["shadow"]["batches"] >= 60
    assert found["stages"][0]["candidate"]["units"] == 0
    assert found["stages"][1]["candidate"]["failures"] == 0
    assert read_policy(models / "equal").versions == (2,)
    exposition = app.test_client().get("/metrics").get_data(as_text=True)
    assert 'understudy_rollout_decisions_total{decision="live",model="equal"} 1.0' in exposition
    # There before the first one, so that the alert sees it as an increase.
    assert (
        'understudy_rollout_decisions_total{decision="rolled_back",model="equal"} 0.0' in exposition
    )


def test_swapped_labels_are_found_before_any_client_sees_them(app: Flask, models: Path) -> None:
    traffic = Traffic(app, "swapped")
    traffic.begin()
    found = traffic.until("canary", "rolled back")
    assert (found["state"], traffic.exposed) == ("rolled back", 0)
    assert "differently" in found["reason"]
    assert read_policy(models / "swapped").versions == (1,)
    eventually(lambda: traffic.send() == (200, "1"))


def test_nan_on_a_rare_input_is_found_in_the_canary_too(app: Flask, models: Path) -> None:
    """Without a shadow; the split is the documented hash of the routing key."""
    traffic = Traffic(app, "nan")
    traffic.begin(percents=[40], shadow_batches=0, latency_margin=100, min_requests=10**6)
    rollout = read_policy(models / "nan").rollout
    assert rollout is not None

    # Of such values neither version makes NaN, so that the split stays.
    eventually(lambda: "2" in {traffic.send(below=0.9)[1] for _ in range(5)})
    for i in range(30):
        _, version = traffic.send(below=0.9, **{"X-Routing-Key": f"user-{i}"})
        is_candidates = hash64(rollout.id, "nan", f"user-{i}") < 0.4 * 2**64
        assert version == ("2" if is_candidates else "1")

    def is_counted() -> bool:
        # The client gets NaN as bytes, and it counts as a failure all the same.
        assert {traffic.send_for_bytes() for _ in range(40)} == {200}
        stages = traffic.state().get("stages")
        return bool(stages) and stages[-1]["candidate"]["failures"] > 0

    eventually(is_counted)
    found = traffic.until("rolled back", "baking")
    assert found["state"] == "rolled back"
    assert "fails" in found["reason"]
    assert found["decisions"][-1]["numbers"]["log10_evidence_of_harm"]["together"] >= 2


def test_a_candidate_that_no_longer_regresses_is_found(app: Flask) -> None:
    """Its contract is the champion's, and its graph never runs for what it refuses."""
    traffic = Traffic(app, "kinds")
    traffic.begin(percents=[50], shadow_batches=0)
    body = {"signature_name": "bounds", "examples": [{"x": 1.0}]}
    client = app.test_client()

    def is_decided() -> bool:
        for _ in range(20):
            response = client.post("/v1/models/kinds:regress", json=body)
            expected = 400 if response.headers["X-Model-Version"] == "2" else 200
            assert response.status_code == expected
        return traffic.state()["state"] in ("rolled back", "baking", "live")

    eventually(is_decided, 60)
    found = traffic.state()
    assert found["state"] == "rolled back", found
    assert found["reason"] == "It fails more often than the version before."


def test_harm_that_truths_alone_show_is_found_before_any_client_sees_it(
    app: Flask, models: Path
) -> None:
    """It differs on fewer rows than its margin allows."""
    traffic, client = Traffic(app, "worse"), app.test_client()
    traffic.begin(shadow_batches=10**6)

    def is_rolled_back() -> bool:
        for _ in range(40):
            traffic.send()
        audits = client.get("/v1/models/worse/audits?count=40").get_json()["audits"]
        truths = [
            {**{key: audit[key] for key in ("id", "row")}, "source": "audit"}
            | {"truth": str(np.argmax(audit["inputs"]["x"]))}
            for audit in audits
        ]
        if truths:
            client.post("/v1/models/worse:feedback", json={"feedback": truths})
        return traffic.state()["state"] == "rolled back"

    eventually(is_rolled_back, 60)
    found = traffic.state()
    assert traffic.exposed == 0
    assert found["reason"].startswith("It answers worse than the version before, by the truths")
    assert found["quality"]["lost"] > found["quality"]["won"] == 0
    numbers = found["decisions"][-1]["numbers"]
    assert numbers["quality"]["candidate"] > numbers["quality"]["champion"]
    exposition = client.get("/metrics").get_data(as_text=True)
    assert 'understudy_rollout_loss{model="worse",of="candidate"} 0.' in exposition
    assert 'second_answers_total{model="worse",result="answered"}' in exposition


def test_a_rollout_must_be_asked_for_in_order(app: Flask) -> None:
    client = app.test_client()
    path = "/v1/models/equal:rollout"
    for body, status in (
        ({"candidate": 2}, 401),
        ({"candidate": 9}, 400),
        ({"candidate": "2"}, 400),
        ({"candidate": 2, "rules": {"alpha": 2}}, 400),
        ({"rules": {}}, 400),
    ):
        headers = {} if status == 401 else ADMIN
        assert client.post(path, json=body, headers=headers).status_code == status, body
    assert client.get("/v1/models/none/rollout").status_code == 404


def _held(client: FlaskClient, model: str) -> float:
    """Return what an alert on a rollout that is held goes by."""
    lines = client.get("/metrics").text.splitlines()
    name = f'understudy_rollout_held{{model="{model}"}} '
    found = [float(line.removeprefix(name)) for line in lines if line.startswith(name)]
    return found[0] if found else math.nan


def test_a_record_that_is_broken_by_hand_is_an_alarm(app: Flask, models: Path) -> None:
    """Nothing is decided by it; the gauge is what an alert goes by."""
    record, client = models / "swapped" / "rollout.json", app.test_client()
    body = {"candidate": 2, "rules": {"step_s": 10_000, "deadline_s": 20_000}}
    assert client.post("/v1/models/swapped:rollout", json=body, headers=ADMIN).status_code == 200
    eventually(lambda: client.get("/v1/models/swapped/rollout").json["state"] == "shadow")

    def is_noticed() -> bool:
        # Again each time, because a look that has read the record already writes it.
        record.write_text("nonsense")
        return _held(client, "swapped") == 1

    eventually(lambda: _held(client, "swapped") == 0)
    eventually(is_noticed)
    # It begins its step anew.
    record.unlink()
    eventually(lambda: _held(client, "swapped") == 0)
    assert client.get("/v1/models/swapped/rollout").json["state"] == "shadow"
    # Who decides by hand instead, as the runbook says, ends the alarm as well.
    eventually(is_noticed)
    assert client.post("/v1/models/swapped:rollback", headers=ADMIN).status_code == 200
    eventually(lambda: _held(client, "swapped") == 0)
    record.unlink()


def test_a_folder_that_cannot_be_written_is_told_to_who_asks_for_the_rollout(
    app: Flask, models: Path
) -> None:
    """As where a container mounts the models read-only, and only the trainer changes policies."""
    lock, client = models / "swapped" / LOCK, app.test_client()

    def rollout() -> Any:
        return client.get("/v1/models/swapped/rollout").json

    _block(lock)
    why = f"Nothing is decided: {lock} cannot be written: Is a directory."
    body = {"candidate": 2, "rules": {"step_s": 10_000, "deadline_s": 20_000}}
    assert client.post("/v1/models/swapped:rollout", json=body, headers=ADMIN).status_code == 200
    eventually(lambda: (rollout()["reason"], rollout()["held"]) == (why, True))
    # Who ends it by hand ends the alert as well.
    eventually(lambda: _held(client, "swapped") == 1)
    assert client.post("/v1/models/swapped:rollback", headers=ADMIN).status_code == 200
    eventually(lambda: _held(client, "swapped") == 0)
    assert client.post("/v1/models/swapped:rollout", json=body, headers=ADMIN).status_code == 200
    eventually(lambda: rollout()["held"])
    lock.rmdir()
    eventually(lambda: not rollout()["held"] and len(rollout()["evidence"]) > 1)
    assert why not in (rollout()["reason"], *rollout()["evidence"])
    # In the middle of a rollout as well.
    _block(lock)
    eventually(lambda: rollout()["held"])
    assert rollout()["reason"] == rollout()["evidence"][0] == why
    assert client.post("/v1/models/swapped:rollback", headers=ADMIN).status_code == 200
    eventually(lambda: not rollout()["held"])
    lock.rmdir()


def _block(lock: Path) -> None:
    """Put a folder in a lock's place: nobody can write it, not even root."""

    def is_blocked() -> bool:
        lock.unlink(missing_ok=True)
        # The application may make the file anew in between.
        with contextlib.suppress(FileExistsError):
            lock.mkdir()
        return lock.is_dir()

    eventually(is_blocked)


def test_what_keeps_a_rollout_is_said_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by a replica that looks at the shared database every other second only."""
    here: RolloutWatch = app.extensions["rollouts"]
    watch = RolloutWatch(
        here._lifecycle,
        here._control._store,
        here._metrics,
        here._control._shared_folder,
        lambda: True,
        timeout_s=1,
        cores=1,
    )
    said: list[str] = []
    monkeypatch.setattr(rollout_watch, "log", lambda level, text, **fields: said.append(text))
    looks = iter(["broken", "", "broken", "fine", "broken"])

    def decide(model: str) -> bool:
        look = next(looks) if model == "equal" else "fine"
        if look == "broken":
            raise RepositoryError("The record is broken.")
        return look == "fine"

    monkeypatch.setattr(watch._control, "decide", decide)
    counts = []
    for _ in range(5):
        watch.check_models()
        counts.append(said.count("A rollout cannot go on."))
    assert counts == [1, 1, 1, 1, 2]
    watch.stop()


def test_one_worker_alone_controls(app: Flask, models: Path, tmp_path: Path) -> None:
    """Whoever holds the lock in the model's folder does; another looks on."""
    control: ControllingProcess = app.extensions["rollouts"]._control
    publish_trial(tmp_path, model="equal", work=1)
    parts = (control._lifecycle, Store(tmp_path), control._metrics, control._counts)
    one, other = (ControllingProcess(*parts, control._shared_folder, None, None) for _ in range(2))
    assert one.lock("equal")
    assert not other.lock("equal")
    one.stop()
    assert other.lock("equal")
    other.stop()


def test_who_holds_a_lock_that_was_removed_controls_no_more(app: Flask, tmp_path: Path) -> None:
    """As by rsync --delete, or by another folder of the model in its place."""
    control: ControllingProcess = app.extensions["rollouts"]._control
    publish_trial(tmp_path, model="equal", work=1)
    publish_trial(tmp_path, model="equal", work=1)
    parts = (control._lifecycle, Store(tmp_path), control._metrics, control._counts)
    one, other = (ControllingProcess(*parts, control._shared_folder, None, None) for _ in range(2))
    change_policy(tmp_path / "equal", lambda before: begin_rollout(before, 1, 2, RolloutRules()))
    assert one.lock("equal")
    one.decide("equal")
    assert read_rollout_record(tmp_path / "equal") is not None
    assert not other.lock("equal")
    (tmp_path / "equal" / LOCK).unlink()
    assert other.lock("equal")
    (tmp_path / "equal" / "rollout.json").unlink()
    one.decide("equal")
    assert read_rollout_record(tmp_path / "equal") is None
    other.decide("equal")
    assert read_rollout_record(tmp_path / "equal") is not None
    other.stop()


def test_a_rollout_that_was_ended_while_no_service_ran_is_not_shown_as_under_way(
    app: Flask, models: Path
) -> None:
    folder, control = models / "kinds", app.extensions["rollouts"]._control
    left_open = Rollout("left-open", 1, 2, Stage.CANARY, 5.0)
    # The controller of this application has seen that there was none.
    eventually(lambda: "kinds" in control._settled)
    write_rollout_record(folder, begin_rollout_record(left_open, None))
    try:
        shown = app.test_client().get("/v1/models/kinds/rollout").json
        assert shown["sentence"].startswith("Nothing is tried out, because no rollout is in force")
        parts = (control._lifecycle, Store(models), control._metrics, control._counts)
        later = ControllingProcess(*parts, control._shared_folder, None, None)
        for _ in range(2):
            later.decide("kinds")
        shown = app.test_client().get("/v1/models/kinds/rollout").json
        assert (shown["state"], shown["decisions"][-1]["decision"]) == ("ended by hand",) * 2
        # And nobody is in the way of the next one.
        other = ControllingProcess(*parts, control._shared_folder, None, None)
        assert other.lock("kinds")
        other.stop()
    finally:
        (folder / "rollout.json").unlink()


def test_a_rollout_of_no_version_is_refused_with_what_was_sent(app: Flask) -> None:
    def refusal(body: Any) -> str:
        response = app.test_client().post("/v1/models/kinds:rollout", json=body, headers=ADMIN)
        assert response.status_code == 400
        return str(response.json["error"])

    assert refusal({"candidate": "2"}) == "candidate: Expected the number of a version, not '2'."
    assert refusal({"version": 2}) == (
        'Expected {"candidate": <version>, "rules": {...}}, not {"version": 2}.'
    )


def test_with_a_database_that_replicas_share_it_has_the_counts_and_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in PostgreSQL's place; and a second is a long time for a test."""
    monkeypatch.setattr(SqliteDatabase, "is_shared", True)
    monkeypatch.setattr(deciding_replica, "BEAT_S", 0.05)
    monkeypatch.setattr(replica_counts, "WRITE_S", 0.05)
    publish_trial(tmp_path / "models", model="equal", work=1)
    (tmp_path / "models" / "equal" / "policy.json").write_text('{"serve": {"versions": [1]}}')
    publish_trial(tmp_path / "models", "equal", model="equal", work=1)
    app = on_loop(
        Settings(
            models=tmp_path / "models",
            events=str(tmp_path / "events.db"),
            poll_interval_s=0.05,
            workers=1,
            admin_token="secret",
            replica="the only one",
        )
    )
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    try:
        assert lifecycle.wait_until_settled(60)
        traffic = Traffic(app, "equal")
        traffic.begin(percents=[50], shadow_batches=0)
        database = SqliteDatabase(tmp_path / "events.db")
        eventually(lambda: traffic.send() and traffic.state()["decisions"])
        with database.transaction() as run:
            ((replica, record),) = run.rows("SELECT replica, record FROM understudy_rollouts", {})
        assert replica.startswith("the only one/")
        assert '"begin"' in record
        found = traffic.until("live", "rolled back")
        assert [each["decision"] for each in found["decisions"]] == ["begin", "promoted", "live"]
        assert all(each["candidate"]["units"] >= 20 for each in found["stages"])
        database.close()
    finally:
        lifecycle.stop()
