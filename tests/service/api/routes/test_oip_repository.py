"""The model repository extension: the index, loading, unloading."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.repository.model_policy import POLICY
from tests.savedmodels.affine import publish_affine
from tests.service.api.error_bodies import assert_error
from tests.service.api.routes.conftest import BEARER, TOKEN
from tests.service.conftest import MakeApp
from tests.waiting import eventually

CALLS = [f"/v2/repository/models/affine/{action}" for action in ("load", "unload")]


@pytest.fixture
def admin(make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    for bias in (0.0, 1.0):
        publish_affine(tmp_path / "models", bias=bias)
    return make_app(admin_token=TOKEN, poll_interval_s=60.0).test_client()


def index(client: FlaskClient, **body: Any) -> Any:
    return client.post("/v2/repository/index", json=body).json


def entry(version: int, state: str, reason: str = "", name: str = "affine") -> dict[str, str]:
    return {"name": name, "version": str(version), "state": state, "reason": reason}


NOT_ASKED_FOR = "The policy does not ask for it."


def test_the_index_tells_every_version(admin: FlaskClient, tmp_path: Path) -> None:
    everything = [entry(1, "UNAVAILABLE", NOT_ASKED_FOR), entry(2, "READY")]
    assert index(admin) == everything
    assert admin.post("/v2/repository/index").json == everything
    assert index(admin, ready=True) == [entry(2, "READY")]
    publish_affine(tmp_path / "models", model="late")
    assert index(admin) == [*everything, entry(1, "UNAVAILABLE", NOT_ASKED_FOR, "late")]


def test_a_version_that_was_refused_says_why(make_app: MakeApp, tmp_path: Path) -> None:
    for _ in range(2):
        publish_affine(tmp_path / "models")
    (tmp_path / "models" / "affine" / "2" / "saved_model.pb").unlink()
    client = make_app().test_client()
    eventually(lambda: len(index(client, ready=True)) == 1)
    first, second = index(client)
    assert first == entry(1, "READY")
    assert second["state"] == "UNAVAILABLE"
    assert second["reason"].startswith("saved_model.pb")


@pytest.mark.parametrize("path", CALLS)
def test_loading_and_unloading_need_the_token(
    client: FlaskClient, admin: FlaskClient, path: str
) -> None:
    assert_error(client.post(path, headers=BEARER), 403, "PERMISSION_DENIED")
    assert_error(admin.post(path), 401, "UNAUTHENTICATED")
    assert index(admin, ready=True) == [entry(2, "READY")]


def test_a_model_is_unloaded_and_loaded_again(admin: FlaskClient, tmp_path: Path) -> None:
    policy = tmp_path / "models" / "affine" / POLICY
    policy.write_text('{"serve": {"versions": [1]}, "labels": {"stable": 1}}')
    load, unload = CALLS
    assert admin.post(load, headers=BEARER).json == {}
    assert index(admin, ready=True) == [entry(1, "READY")]

    body = {"parameters": {"unload_dependents": False}}
    for _ in range(2):
        response = admin.post(unload, headers=BEARER, json=body)
        assert (response.status_code, response.json) == (200, {})
        # It is done when it is answered, and the policy keeps what will serve again.
        assert index(admin, ready=True) == []
        assert json.loads(policy.read_text()) == {
            "serve": {"versions": [1]},
            "labels": {"stable": 1},
            "unloaded": True,
        }
    response = admin.post("/v2/models/affine/infer", json={"inputs": []})
    assert_error(response, 404, "NOT_FOUND")
    assert response.json["error"] == "Model 'affine' is unloaded; none of its versions serves."
    assert admin.get("/v2/models/affine/ready").status_code == 404

    assert admin.post(load, headers=BEARER, json={}).status_code == 200
    assert index(admin, ready=True) == [entry(1, "READY")]
    assert admin.get("/v1/models/affine/labels/stable").status_code == 200


def test_loading_looks_at_once_for_what_is_new(admin: FlaskClient, tmp_path: Path) -> None:
    publish_affine(tmp_path / "models", bias=2.0)
    publish_affine(tmp_path / "models", model="late")
    assert admin.post(CALLS[0], headers=BEARER).status_code == 200
    assert entry(3, "READY") in index(admin, ready=True)
    assert admin.post("/v2/repository/models/late/load", headers=BEARER).status_code == 200
    assert entry(1, "READY", name="late") in index(admin, ready=True)


def test_a_model_that_was_unloaded_does_not_keep_the_others_from_being_ready(
    admin: FlaskClient, tmp_path: Path
) -> None:
    publish_affine(tmp_path / "models", model="other")
    for path in ("/v2/repository/models/other/load", CALLS[1]):
        assert admin.post(path, headers=BEARER).status_code == 200
    assert admin.get("/v2/health/ready").status_code == 200


def test_what_cannot_be_loaded_is_said(admin: FlaskClient, tmp_path: Path) -> None:
    publish_affine(tmp_path / "models", model="broken")
    (tmp_path / "models" / "broken" / "1" / "saved_model.pb").unlink()
    response = admin.post("/v2/repository/models/broken/load", headers=BEARER)
    assert_error(response, 409, "ABORTED")
    assert response.json["error"].startswith(
        "Model 'broken' was not loaded; version 1 was refused: saved_model.pb"
    )
    response = admin.post("/v2/repository/models/nope/load", headers=BEARER)
    assert_error(response, 404, "NOT_FOUND")
    (tmp_path / "models" / "affine" / POLICY).write_text("{")
    assert_error(admin.post(CALLS[0], headers=BEARER), 409, "ABORTED")


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("index", "[]", "Expected a JSON object, not a list of 0 values."),
        ("index", "{", "JSON Parse error: "),
        ("index", '{"ready": 1}', "ready: Expected true or false, not 1."),
        ("models/affine/load", '{"parameters": 1}', "parameters: Expected an object, not 1."),
        ("models/affine/load", '{"parameters": {"config": "{}"}}', "parameters.config: Unknown; "),
        (
            "models/affine/load",
            '{"parameters": {"file:1/model.pb": "AA=="}}',
            "parameters.file:1/model.pb: Unknown; ",
        ),
        (
            "models/affine/unload",
            '{"parameters": {"unload_dependents": 1}}',
            "parameters.unload_dependents: Unknown; ",
        ),
    ],
)
def test_requests_that_are_none(admin: FlaskClient, path: str, body: str, sentence: str) -> None:
    response = admin.post(f"/v2/repository/{path}", data=body, headers=BEARER)
    assert_error(response, 400, "INVALID_ARGUMENT")
    assert response.json["error"].startswith(sentence)
    assert index(admin, ready=True) == [entry(2, "READY")]
