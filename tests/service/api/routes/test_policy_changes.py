"""Changes of one policy over HTTP and by the trainer, at the same moment."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.repository.model_policy import POLICY, Policy, read_policy, write_policy
from service.runtime.lifecycle import Lifecycle
from tests.forked import SERVICE
from tests.savedmodels.affine import publish_affine
from tests.service.api.error_bodies import assert_error
from tests.service.api.routes.conftest import BEARER, TOKEN
from tests.service.conftest import MakeApp

PATH = "/v1/models/affine/policy"
TRIES = 40


def label_often(root: Path, barrier: Any) -> None:
    from training.publishing import version_policy

    for number in range(TRIES):
        barrier.wait(60)
        version_policy.change_policy(
            root,
            "affine",
            latest=None,
            versions=None,
            labels=[f"trainer={1 + number % 2}"],
            keep=None,
        )
        barrier.wait(60)


def test_of_changes_by_clients_and_the_trainer_none_is_lost(
    admin: FlaskClient, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    context = multiprocessing.get_context("forkserver")
    barrier = context.Barrier(2)
    trainer = context.Process(target=label_often, args=(models, barrier))
    SERVICE.start(trainer)
    clients = [admin.application.test_client() for _ in range(3)]
    lost = []
    with ThreadPoolExecutor(3) as pool:
        for number in range(TRIES):
            unloaded = number % 2 == 0
            action = "unload" if unloaded else "load"
            barrier.wait(60)
            answers = [
                pool.submit(clients[0].put, PATH, json={"keep": number + 1}, headers=BEARER),
                pool.submit(
                    clients[1].put, PATH, json={"serve": {"latest": number + 1}}, headers=BEARER
                ),
                pool.submit(
                    clients[2].post, f"/v2/repository/models/affine/{action}", headers=BEARER
                ),
            ]
            assert [answer.result().status_code for answer in answers] == [200, 200, 200]
            barrier.wait(60)
            expected = Policy(
                latest=number + 1,
                labels={"trainer": 1 + number % 2},
                keep=number + 1,
                unloaded=unloaded,
            )
            lost += [] if read_policy(models / "affine") == expected else [number]
    trainer.join(60)
    assert trainer.exitcode == 0
    assert lost == []


def test_a_change_keeps_what_it_does_not_name(admin: FlaskClient, tmp_path: Path) -> None:
    write_policy(
        tmp_path / "models" / "affine",
        Policy(labels={"stable": 1, "gone": 9}, keep=4, allow_operations=("ReadFile",)),
    )
    answer = admin.put(PATH, json={"serve": {"versions": [1]}}, headers=BEARER)
    assert answer.json == {
        "serve": {"versions": [1]},
        "labels": {"stable": 1, "gone": 9},
        "keep": 4,
        "allow_operations": ["ReadFile"],
    }
    assert admin.post("/v2/repository/models/affine/unload", headers=BEARER).status_code == 200
    answer = admin.put(PATH, json={"keep": None, "allow_operations": []}, headers=BEARER)
    assert answer.json == {
        "serve": {"versions": [1]},
        "labels": {"stable": 1, "gone": 9},
        "unloaded": True,
    }


def test_a_client_that_says_what_it_has_seen_changes_nothing_else(admin: FlaskClient) -> None:
    seen = admin.get(PATH, headers=BEARER)
    of_seen = {**BEARER, "If-Match": seen.headers["ETag"]}
    first = admin.put(PATH, json={"labels": {"a": 1}}, headers=of_seen)
    assert first.status_code == 200
    for method, path in (("PUT", PATH), ("POST", "/v1/models/affine:rollback")):
        second = admin.open(path, method=method, json={"labels": {"b": 2}}, headers=of_seen)
        assert_error(second, 412, "FAILED_PRECONDITION")
        assert second.json["error"].startswith("The policy is not the one that If-Match names")
    assert admin.get(PATH, headers=BEARER).json["labels"] == {"a": 1}
    of_first = {**BEARER, "If-Match": first.headers["ETag"]}
    assert admin.put(PATH, json={"labels": {"b": 2}}, headers=of_first).status_code == 200
    anything = {**BEARER, "If-Match": "*"}
    assert admin.put(PATH, json={"keep": 3}, headers=anything).status_code == 200


def test_a_file_that_is_none_is_mended_by_a_new_policy(admin: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "models" / "affine" / POLICY).write_text("{")
    assert_error(admin.post("/v1/models/affine:rollback", headers=BEARER), 409, "ABORTED")
    answer = admin.put(PATH, json={"keep": 2}, headers=BEARER)
    assert answer.json == {"serve": {"latest": 1}, "labels": {}, "keep": 2}


def test_time_that_is_up_says_that_the_change_is_in_force(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path / "models")
    client = make_app(admin_token=TOKEN, timeout_s=0.01).test_client()
    # A worker that does not get on.
    monkeypatch.setattr(Lifecycle, "reconcile_now", lambda *_: False)
    answer = client.post("/v2/repository/models/affine/unload", headers=BEARER)
    assert_error(answer, 504, "DEADLINE_EXCEEDED")
    assert answer.json["error"].startswith(
        "Model 'affine' is to be unloaded: the policy says so and stays in force, but not all"
    )
    assert read_policy(tmp_path / "models" / "affine").unloaded


def test_a_change_that_another_takes_back_says_so(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path / "models")
    # It does not look by itself in between: then the model would have been unloaded indeed.
    client = make_app(admin_token=TOKEN, poll_interval_s=3600).test_client()

    def take_back(*_: Any) -> bool:
        write_policy(tmp_path / "models" / "affine", Policy())
        return True

    monkeypatch.setattr(Lifecycle, "reconcile_now", take_back)
    answer = client.post("/v2/repository/models/affine/unload", headers=BEARER)
    assert_error(answer, 409, "ABORTED")
    assert answer.json["error"].startswith(
        "Model 'affine' was to be unloaded, and another change has taken that back"
    )


def test_a_trial_right_after_a_rollback_is_against_the_version_that_came_back(
    make_app: MakeApp, tmp_path: Path
) -> None:
    for bias in (0.0, 1.0, 2.0):
        publish_affine(tmp_path / "models", bias=bias)
    client = make_app(admin_token=TOKEN, poll_interval_s=3600).test_client()
    path = "/v1/models/affine:rollout"
    assert client.post("/v1/models/affine:rollback", headers=BEARER).status_code == 200
    answer = client.post(path, json={"candidate": 2}, headers=BEARER)
    assert_error(answer, 409, "ABORTED")
    assert answer.json["error"].startswith("Version 2 serves already")
    answer = client.post(path, json={"candidate": 3}, headers=BEARER)
    assert (answer.status_code, answer.json["rollout"]["champion"]) == (200, 2)
