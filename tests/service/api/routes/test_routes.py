"""What every route has in common, and the routes that are no predictions."""

import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.monitoring.logs import LOGGER
from tests.savedmodels.affine import publish_affine
from tests.service.api.error_bodies import assert_error
from tests.service.conftest import MakeApp

STATUS = {"error_code": "OK", "error_message": ""}

FAILURES = [
    ("GET", "/nowhere", 404, "NOT_FOUND"),
    ("GET", "/v1", 404, "NOT_FOUND"),
    ("GET", "/v1/models/nope", 404, "NOT_FOUND"),
    ("GET", "/v1/models/affine/versions/9", 404, "NOT_FOUND"),
    ("GET", "/v1/models/affine/versions/one", 404, "NOT_FOUND"),
    ("GET", "/v1/models/affine/versions/01", 404, "NOT_FOUND"),
    ("GET", "//v1/models/affine", 404, "NOT_FOUND"),
    ("GET", "/v1//models/affine", 404, "NOT_FOUND"),
    ("POST", "//v1/models/affine:predict", 404, "NOT_FOUND"),
    ("POST", "/v1/models/affine/versions/01:predict", 404, "NOT_FOUND"),
    ("POST", "/v2/models/affine/versions/01/infer", 404, "NOT_FOUND"),
    ("GET", f"/v1/models/affine/versions/{'9' * 30}", 404, "NOT_FOUND"),
    ("GET", "/v1/models/affine/labels/nope", 404, "NOT_FOUND"),
    ("GET", "/v1/models/nope/metadata", 404, "NOT_FOUND"),
    ("POST", "/v1/models/nope:predict", 404, "NOT_FOUND"),
    ("POST", "/v1/models/affine/versions/9:predict", 404, "NOT_FOUND"),
    ("POST", "/v1/models/affine/labels/gone:predict", 404, "NOT_FOUND"),
    ("POST", "/v1/models/affine:dream", 404, "NOT_FOUND"),
    ("GET", "/v1/models/affine:predict", 405, "METHOD_NOT_ALLOWED"),
    ("PUT", "/v1/models/affine:predict", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/v1/models", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/v1/models/affine", 405, "METHOD_NOT_ALLOWED"),
    ("DELETE", "/livez", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/readyz", 405, "METHOD_NOT_ALLOWED"),
    ("PATCH", "/metrics", 405, "METHOD_NOT_ALLOWED"),
    ("POST", "/v1/models/affine:predict", 400, "INVALID_ARGUMENT"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), FAILURES)
def test_every_failure_has_the_one_body(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    # The test client takes what follows two slashes for a host.
    response = client.open("/", method=method, environ_overrides={"PATH_INFO": path})
    assert_error(response, status, code)


def test_a_path_begins_with_one_slash(client: FlaskClient) -> None:
    for path in ("//livez", "///livez", "//"):
        response = client.get("/", environ_overrides={"PATH_INFO": path})
        assert_error(response, 404, "NOT_FOUND")


def test_every_route_answers_a_wrong_method_with_the_one_body(client: FlaskClient) -> None:
    """Whatever routes there are: none may fall back to HTML."""
    for rule in client.application.url_map.iter_rules():
        path = rule.rule.replace("<model:model>", "affine").replace("<version:version>", "1")
        path = path.replace("<model:label>", "stable").replace("<path:region>", "region")
        path = path.replace("<path:file>", "main.js")
        assert "<" not in path
        response = client.open(path, method="TRACE")
        assert_error(response, 405, "METHOD_NOT_ALLOWED")
        assert rule.methods <= set(response.headers["Allow"].split(", "))


def test_wrong_content_type(client: FlaskClient) -> None:
    response = client.post("/v1/models/affine:predict", data=b"{}", content_type="text/html")
    assert_error(response, 415, "UNSUPPORTED_MEDIA_TYPE")


def answers(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """Return what was logged of requests: loading is logged beside them, and libraries log too."""
    ours: list[Any] = [record for record in caplog.records if record.name == LOGGER]
    return [record for record in ours if "status" in record.fields]


def test_what_fails_unforeseen_tells_the_log_and_not_the_client(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(name: str) -> None:
        raise RuntimeError("secret /path")

    monkeypatch.setattr(client.application.extensions["lifecycle"], "require", explode)
    with caplog.at_level(logging.ERROR, LOGGER):
        response = client.post(
            "/v1/models/affine:predict", json={}, headers={"X-Request-Id": "my-id"}
        )
    assert_error(response, 500, "INTERNAL")
    assert b"secret" not in response.data
    (record,) = answers(caplog)
    assert record.fields["request_id"] == "my-id"
    assert record.exc_info
    assert "secret" in str(record.exc_info[1])


def test_the_status_of_a_model_is_tensorflow_servings(client: FlaskClient) -> None:
    assert client.get("/v1/models/affine").json == {
        "model_version_status": [
            {"version": "2", "state": "AVAILABLE", "status": STATUS},
            {"version": "1", "state": "AVAILABLE", "status": STATUS},
        ]
    }
    one = {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": STATUS}]}
    assert client.get("/v1/models/affine/versions/1").json == one
    assert client.get("/v1/models/affine/labels/stable").json == one


def test_the_metadata_is_tensorflow_servings(client: FlaskClient) -> None:
    body = client.get("/v1/models/affine/versions/1/metadata").json
    assert body["model_spec"] == {"name": "affine", "signature_name": "", "version": "1"}
    definition = body["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert definition["method_name"] == "tensorflow/serving/predict"
    assert definition["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
            "unknown_rank": False,
        },
        "name": "serving_default_x:0",
    }


def test_the_metadata_has_every_signature_as_tensorflow_serving_prints_it(
    client: FlaskClient,
) -> None:
    """Also those that cannot be served here; protobuf's int64 are strings in JSON."""
    body = client.get("/v1/models/shapes/metadata").json
    assert body.keys() == {"model_spec", "metadata"}
    assert body["metadata"].keys() == {"signature_def"}
    assert body["metadata"]["signature_def"].keys() == {"signature_def"}
    definitions = body["metadata"]["signature_def"]["signature_def"]
    assert definitions["complex_only"]["inputs"]["z"]["dtype"] == "DT_COMPLEX64"
    assert definitions["any_shape"]["inputs"]["anything"]["tensor_shape"] == {
        "dim": [],
        "unknown_rank": True,
    }
    assert definitions["__saved_model_init_op"] == {
        "inputs": {},
        "outputs": {
            "__saved_model_init_op": {
                "name": "NoOp",
                "dtype": "DT_INVALID",
                "tensor_shape": {"dim": [], "unknown_rank": True},
            }
        },
        "method_name": "",
        "defaults": {},
    }


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/",
        "/v1/models/affine/",
        "/v1/models//affine",
        "/v1/models/affine/metadata/",
        "/v1/models/affine/versions/1/",
        "/v1/models/affine/labels/stable/metadata/",
        "/V1/models/affine",
        "/v1/Models/affine",
        "/v1/models/affine/Versions/1",
        "/v1/models/affine/METADATA",
        "/livez/",
        "/metrics/",
    ],
)
def test_a_path_is_written_in_one_way(client: FlaskClient, path: str) -> None:
    """Neither with a slash more, nor with two for one, nor in other case."""
    assert_error(client.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "verb", ["predict/", "predict//", "Predict", "PREDICT", "predict ", " predict"]
)
def test_a_verb_is_written_in_one_way(client: FlaskClient, verb: str) -> None:
    body = {"instances": [{"x": [1, 2], "text": "quiet"}]}
    response = client.post(f"/v1/models/affine:{verb}", json=body)
    assert_error(response, 404, "NOT_FOUND")


def test_the_list_tells_models_contracts_and_labels(client: FlaskClient) -> None:
    affine, shapes = client.get("/v1/models").json["models"]
    assert (affine["name"], affine["version"], affine["title"]) == ("affine", "2", "The toy affine")
    assert affine["labels"] == {"stable": 1}
    assert affine["signatures"]["serving_default"]["inputs"][0]["unit"] == "m"
    assert (shapes["name"], shapes["version"]) == ("shapes", "1")
    assert "title" not in shapes


def test_health(client: FlaskClient) -> None:
    assert client.get("/livez").json == {"status": "live"}
    assert client.get("/readyz").json == {"status": "ready"}


def test_a_service_without_models_lives_but_is_not_ready(make_app: MakeApp) -> None:
    client = make_app(replica="a-replica").test_client()
    assert client.get("/livez").status_code == 200
    response = client.get("/readyz")
    assert_error(response, 503, "UNAVAILABLE")
    assert response.headers["Retry-After"] == "1"
    reason = "It cannot be read: No such file or directory."
    ignored = [{"path": ".", "reason": reason}]
    listed = {"replica": "a-replica", "models": [], "ignored": ignored}
    assert client.get("/v1/models").json == listed


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-123", True), ("a" * 128, True), ("a" * 129, False), ("two words", False), ("", False)],
)
def test_request_ids_are_kept_or_made(client: FlaskClient, given: str, kept: bool) -> None:
    got = client.get("/livez", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert (got == given) is kept
    assert got


def test_metrics_count_by_model_version_and_status(make_app: MakeApp, affine_root: Any) -> None:
    client = make_app().test_client()
    row = {"x": [1, 2], "text": "quiet"}
    client.post("/v1/models/affine:predict", json={"instances": [row, row]})
    client.post("/v1/models/affine:predict", json={"instances": []})
    client.post("/v1/models/invented:predict", json={})
    lines = client.get("/metrics").text.splitlines()
    for expected in (
        'understudy_requests_total{model="affine",status="200",version="1"} 1.0',
        'understudy_requests_total{model="affine",status="400",version="1"} 1.0',
        'understudy_requests_total{model="",status="404",version=""} 1.0',
        'understudy_predictions_total{model="affine",signature="serving_default",version="1"} 2.0',
        'understudy_request_seconds_count{model="affine",version="1"} 2.0',
        'understudy_phase_seconds_count{model="affine",phase="parse",version="1"} 2.0',
        'understudy_phase_seconds_count{model="affine",phase="validate",version="1"} 1.0',
        'understudy_phase_seconds_count{model="affine",phase="infer",version="1"} 1.0',
        'understudy_phase_seconds_count{model="affine",phase="serialise",version="1"} 1.0',
        'understudy_live_version{model="affine"} 1.0',
        'understudy_swaps_total{model="affine",result="ok"} 1.0',
        "understudy_requests_in_flight 1.0",
        "understudy_workers_ready 1.0",
    ):
        assert expected in lines
    assert not any("invented" in line for line in lines)


@pytest.fixture
def affine_root(tmp_path: Any) -> None:

    publish_affine(tmp_path / "models")


def test_errors_are_logged_always_and_requests_when_asked(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    def logged(app: Flask, path: str) -> list[Any]:
        caplog.clear()
        with caplog.at_level(logging.INFO, LOGGER):
            app.test_client().get(path)
        return answers(caplog)

    quiet, loud = make_app(), make_app(access_log=True)
    assert logged(quiet, "/livez") == []
    (record,) = logged(quiet, "/nowhere")
    assert record.levelno == logging.WARNING
    assert record.fields["status"] == 404
    (record,) = logged(loud, "/livez")
    assert record.fields.keys() >= {"request_id", "method", "path", "status", "milliseconds"}
