"""The statistics extension."""

import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.savedmodels.affine import publish_affine
from tests.service.api.error_bodies import assert_error
from tests.service.conftest import MakeApp

NEVER = {"count": 0, "ns": 0}


@pytest.fixture
def asked(make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    """A client whose application has answered two requests of version 2 and refused three."""
    for _ in range(2):
        publish_affine(tmp_path / "models")
    publish_affine(tmp_path / "models", model="other")
    (tmp_path / "models" / "affine" / "policy.json").write_text('{"serve": {"latest": 2}}')
    client = make_app(max_batch_rows=100).test_client()
    for rows, status in ((3, 200), (70, 200), (3, 400)):
        x = {"name": "x", "shape": [rows, 2], "datatype": "FP32", "data": [1, 2] * rows}
        body: dict[str, Any] = {"inputs": [x], "parameters": {"signature_name": "only_y"}}
        if status == 400:
            body["outputs"] = [{"name": "z"}]
        assert client.post("/v2/models/affine/infer", json=body).status_code == status
    for body in (b"", b"{"):
        assert client.post("/v1/models/affine:predict", data=body).status_code == 400
    # What asks about a model is no inference of it.
    for path in ("", "/ready", "/stats", "/versions/2"):
        assert client.get(f"/v2/models/affine{path}").status_code == 200
    return client


def stats(client: FlaskClient, where: str = "") -> Any:
    return client.get(f"/v2/models{where}/stats").json["model_stats"]


def test_a_version_counts_and_times_what_it_did(asked: FlaskClient) -> None:
    first, second = stats(asked, "/affine")
    assert (first["name"], first["version"]) == ("affine", "1")
    assert (second["name"], second["version"]) == ("affine", "2")
    assert abs(second["last_inference"] - time.time() * 1000) < 600_000
    assert (second["inference_count"], second["execution_count"]) == (73, 2)
    times = second["inference_stats"]
    counts = {name: duration["count"] for name, duration in times.items()}
    assert counts == {
        "success": 2,
        "fail": 3,
        "queue": 2,
        "compute_input": 2,
        "compute_infer": 2,
        "compute_output": 2,
        "cache_hit": 0,
        "cache_miss": 0,
    }
    spent = {name: duration["ns"] for name, duration in times.items()}
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert all(isinstance(ns, int) for ns in spent.values())
    assert all(spent[name] > 0 for name in ("success", "fail", *parts[1:]))
    assert sum(spent[name] for name in parts) <= spent["success"] + spent["fail"]


def test_batches_are_told_apart_by_their_rows(asked: FlaskClient) -> None:
    _, second = stats(asked, "/affine")
    assert [batch["batch_size"] for batch in second["batch_stats"]] == [3, 128]
    for batch in second["batch_stats"]:
        assert batch["compute_infer"]["count"] == 1
        assert batch["compute_infer"]["ns"] > 0
        assert batch["compute_input"] == batch["compute_output"] == {"count": 1, "ns": 0}


def test_a_version_that_nobody_asked_has_counted_nothing(asked: FlaskClient) -> None:
    (first,) = stats(asked, "/affine/versions/1")
    assert first["last_inference"] == first["inference_count"] == first["execution_count"] == 0
    assert set(map(str, first["inference_stats"].values())) == {str(NEVER)}
    assert first["batch_stats"] == []


def test_all_models_at_once(asked: FlaskClient) -> None:
    assert [(stat["name"], stat["version"]) for stat in stats(asked)] == [
        ("affine", "1"),
        ("affine", "2"),
        ("other", "1"),
    ]


@pytest.mark.parametrize("where", ["/nope", "/affine/versions/9"])
def test_what_does_not_serve_has_no_statistics(asked: FlaskClient, where: str) -> None:
    assert_error(asked.get(f"/v2/models{where}/stats"), 404, "NOT_FOUND")
