"""The admin API: who may use it, and what it changes."""

import logging
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.savedmodels.affine import publish_affine
from tests.service.api.error_bodies import assert_error
from tests.service.api.routes.conftest import BEARER, TOKEN
from tests.service.conftest import MakeApp
from tests.waiting import eventually

CALLS = [
    ("GET", "/v1/models/affine/policy"),
    ("PUT", "/v1/models/affine/policy"),
    ("POST", "/v1/models/affine:rollback"),
]


@pytest.mark.parametrize("token", ["Sesam öffne dich", "開けゴマ", "p€ss", "a" * 200, "\udcff x"])
def test_a_token_may_be_of_any_characters(make_app: MakeApp, tmp_path: Path, token: str) -> None:
    """Clients send UTF-8, or latin-1 where that is enough; WSGI shows both as latin-1."""
    publish_affine(tmp_path / "models", bias=0.0)
    client = make_app(admin_token=token).test_client()

    def status(sent: bytes) -> int:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {sent.decode('latin-1')}"}
        return client.get("/v1/models/affine/policy", environ_overrides=headers).status_code

    sent = token.encode(errors="surrogateescape")
    assert status(sent) == 200
    assert status(sent + b"x") == status(sent[:-1]) == 401
    if max(token) <= "\xff":
        assert status(token.encode("latin-1")) == 200


@pytest.mark.parametrize("token", [" ", "\n", "\u00a0"])
@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer  \u00a0"])
def test_a_token_of_blanks_opens_nothing(
    make_app: MakeApp, tmp_path: Path, token: str, header: str
) -> None:
    publish_affine(tmp_path / "models", bias=0.0)
    client = make_app(admin_token=token).test_client()
    response = client.get(
        "/v1/models/affine/policy", environ_overrides={"HTTP_AUTHORIZATION": header}
    )
    assert_error(response, 403, "PERMISSION_DENIED")


def live(client: FlaskClient) -> str:
    body = {"signature_name": "only_y", "instances": [[1, 2]]}
    return client.post("/v1/models/affine:predict", json=body).headers["X-Model-Version"]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_a_token_it_is_off(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method, headers=BEARER, json={})
    assert_error(response, 403, "PERMISSION_DENIED")


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}é"]
)
def test_only_who_bears_the_token_may(
    admin: FlaskClient, method: str, path: str, header: str
) -> None:
    response = admin.open(path, method=method, headers={"Authorization": header}, json={})
    assert_error(response, 401, "UNAUTHENTICATED")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert live(admin) == "2"


def test_who_guesses_the_token_does_not_fill_the_log(
    admin: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "understudy")
    began = monotonic()
    for number in range(50):
        guess = {"Authorization": f"Bearer {number}"}
        assert admin.get("/v1/models/affine/policy", headers=guess).status_code == 401
    lines = [record for record in caplog.records if "admin token" in record.getMessage()]
    assert 1 <= len(lines) <= 1 + (monotonic() - began)


def test_a_policy_is_put_and_followed(admin: FlaskClient) -> None:
    policy = {"serve": {"versions": [1, 2]}, "labels": {"stable": 1}}
    response = admin.put("/v1/models/affine/policy", json=policy, headers=BEARER)
    assert response.json == policy
    assert admin.get("/v1/models/affine/policy", headers=BEARER).json == policy
    eventually(lambda: admin.get("/v1/models/affine/labels/stable").status_code == 200)


def test_a_rollback_serves_the_version_before_and_pins_it(
    admin: FlaskClient, tmp_path: Path
) -> None:
    response = admin.post("/v1/models/affine:rollback", headers=BEARER)
    assert response.json == {"serve": {"versions": [1]}, "labels": {}}
    eventually(lambda: live(admin) == "1")
    publish_affine(tmp_path / "models", bias=2.0)
    assert admin.application.extensions["lifecycle"].reconcile_now("affine", 60)
    assert live(admin) == "1"
    assert_error(admin.post("/v1/models/affine:rollback", headers=BEARER), 409, "ABORTED")


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ([], "policy.json must hold a JSON object, not []."),
        ({"serve": "all"}, "policy.json: serve must be"),
        ({"serve": {"versions": [7]}}, "There is no version 7 of model 'affine'."),
        ({"labels": {"stable": 8}}, "There is no version 8 of model 'affine'."),
    ],
)
def test_what_is_no_policy_changes_nothing(admin: FlaskClient, policy: Any, reason: str) -> None:
    response = admin.put("/v1/models/affine/policy", json=policy, headers=BEARER)
    assert_error(response, 400, "INVALID_ARGUMENT")
    assert response.json["error"].startswith(reason)
    assert admin.get("/v1/models/affine/policy", headers=BEARER).json["serve"] == {"latest": 1}


def test_unknown_models_and_broken_bodies(admin: FlaskClient) -> None:
    assert_error(admin.get("/v1/models/nope/policy", headers=BEARER), 404, "NOT_FOUND")
    response = admin.put("/v1/models/affine/policy", data=b"{", headers=BEARER)
    assert_error(response, 400, "INVALID_ARGUMENT")


def test_a_folder_that_cannot_be_written_is_said(
    admin: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("service.repository.policy_changes.write_policy", refuse)
    response = admin.post("/v1/models/affine:rollback", headers=BEARER)
    assert_error(response, 409, "ABORTED")
    assert response.json["error"] == "The policy cannot be written: Read-only file system."
