"""Versions whose folders are gone are told of no longer, by the lifecycle or over HTTP."""

import shutil
from pathlib import Path

import pytest
from flask import Flask

from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from tests.savedmodels.affine import publish_affine, publish_broken_affine, save_affine
from tests.service.conftest import MakeApp
from tests.waiting import eventually


def states(app: Flask) -> dict[int, State]:
    """Return what the lifecycle tells, having checked that both routes tell the same."""
    lifecycle: Lifecycle = app.extensions["lifecycle"]
    client = app.test_client()
    while True:
        before = {each.version: each.state for each in lifecycle.status("affine")}
        (model,) = client.get("/v1/models").json["models"]
        status = client.get("/v1/models/affine").json["model_version_status"]
        after = {each.version: each.state for each in lifecycle.status("affine")}
        if before == after:  # else it has moved on meanwhile
            break
    assert {int(each["version"]): each["state"] for each in model["versions"]} == after
    assert {int(each["version"]) for each in status} == set(after)
    return after


def is_known(app: Flask, version: int) -> bool:
    """Whether there is such a version, by the routes that name it."""
    path = f"/v1/models/affine/versions/{version}"
    client = app.test_client()
    known = client.get(path).status_code == 200
    if not known:
        assert client.get(path).status_code == 404
        assert client.post(f"{path}:predict", json={"instances": []}).status_code == 404
    return known


@pytest.fixture
def models(tmp_path: Path) -> Path:
    publish_affine(tmp_path / "models")
    return tmp_path / "models"


def test_a_refused_version(models: Path, make_app: MakeApp) -> None:
    publish_broken_affine(models)
    app = make_app()
    eventually(lambda: states(app) == {1: State.AVAILABLE, 2: State.FAILED})
    assert is_known(app, 2)
    shutil.rmtree(models / "affine" / "2")
    eventually(lambda: states(app) == {1: State.AVAILABLE})
    assert not is_known(app, 2)


def test_a_version_that_another_replaced(models: Path, make_app: MakeApp) -> None:
    app = make_app()
    publish_affine(models, bias=1.0)
    eventually(lambda: states(app) == {1: State.END, 2: State.AVAILABLE})
    shutil.rmtree(models / "affine" / "1")
    eventually(lambda: states(app) == {2: State.AVAILABLE})
    assert not is_known(app, 1)


def test_a_version_that_vanished_while_it_served(models: Path, make_app: MakeApp) -> None:
    """It is told of, and serves, until another has replaced it and its last request has ended."""
    app = make_app()
    shutil.rmtree(models / "affine" / "1")
    lifecycle = app.extensions["lifecycle"]
    eventually(lambda: "has vanished" in lifecycle.status("affine")[0].reason)
    assert states(app) == {1: State.AVAILABLE}
    with lifecycle.lease("affine"):
        assert publish_affine(models, bias=1.0) == 2
        eventually(lambda: states(app) == {1: State.DRAINING, 2: State.AVAILABLE})
    eventually(lambda: states(app) == {2: State.AVAILABLE})
    assert not is_known(app, 1)


def test_a_version_that_the_policy_took_out(models: Path, make_app: MakeApp) -> None:
    publish_affine(models, bias=1.0)
    policy = models / "affine" / "policy.json"
    policy.write_text('{"serve": {"latest": 2}}')
    app = make_app()
    assert states(app) == {1: State.AVAILABLE, 2: State.AVAILABLE}
    policy.write_text('{"serve": {"versions": [2]}}')
    eventually(lambda: states(app) == {1: State.END, 2: State.AVAILABLE})
    shutil.rmtree(models / "affine" / "1")
    eventually(lambda: states(app) == {2: State.AVAILABLE})


def test_a_version_that_never_got_its_turn(models: Path, make_app: MakeApp) -> None:
    app = make_app(quiet_s=3600.0)
    save_affine(models / "affine" / "2")
    eventually(lambda: states(app) == {1: State.AVAILABLE, 2: State.DISCOVERED})
    shutil.rmtree(models / "affine" / "2")
    eventually(lambda: states(app) == {1: State.AVAILABLE})
    assert not is_known(app, 2)
