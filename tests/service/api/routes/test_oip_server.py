"""What Triton's and KServe's clients ask of a server besides predictions."""

import logging

import pytest
from flask.testing import FlaskClient

from service import __version__
from tests.service.api.error_bodies import assert_error
from tests.service.conftest import MakeApp


def test_the_configuration_of_a_model(client: FlaskClient) -> None:
    config = client.get("/v2/models/affine/config").json
    assert {key: config[key] for key in ("name", "platform", "backend")} == {
        "name": "affine",
        "platform": "tensorflow_savedmodel",
        "backend": "tensorflow",
    }
    assert config["version_policy"] == {"latest": {"num_versions": 2}}
    assert config["max_batch_size"] == 50_000
    assert config["parameters"] == {"signature_name": {"string_value": "serving_default"}}
    x, text, shift = config["input"]
    assert x == {
        "name": "x",
        "data_type": "TYPE_FP32",
        "format": "FORMAT_NONE",
        "dims": [2],
        "is_shape_tensor": False,
        "allow_ragged_batch": False,
        "optional": False,
    }
    assert (text["data_type"], text["dims"], text["reshape"]) == ("TYPE_STRING", [1], {"shape": []})
    assert shift["optional"] is True
    assert [output["name"] for output in config["output"]] == ["y", "loud"]


@pytest.mark.parametrize("where", ["", "/versions/1", "/versions/2"])
def test_a_version_and_a_signature_may_be_named(client: FlaskClient, where: str) -> None:
    response = client.get(f"/v2/models/affine{where}/config?signature_name=only_y")
    assert [each["name"] for each in response.json["input"]] == ["x"]
    assert response.headers["X-Model-Version"] == (where[-1:] or "2")


def test_what_has_no_configuration(client: FlaskClient, make_app: MakeApp) -> None:
    assert_error(client.get("/v2/models/nope/config"), 404, "NOT_FOUND")
    assert_error(client.get("/v2/models/affine/versions/9/config"), 404, "NOT_FOUND")
    response = client.get("/v2/models/affine/config?signature_name=z")
    assert_error(response, 400, "INVALID_ARGUMENT")
    assert_error(client.post("/v2/models/affine/config"), 405, "METHOD_NOT_ALLOWED")


def test_the_models_are_listed(client: FlaskClient) -> None:
    assert client.get("/v2/models").json == {"models": ["affine", "shapes"]}


def test_the_root_tells_programs_and_people_where_to_go_on(client: FlaskClient) -> None:
    for accept in ("*/*", "application/json", "text/plain", ""):
        response = client.get("/", headers={"Accept": accept})
        assert response.content_type == "application/json"
        assert response.json["status"] == "alive"
        assert response.json["version"] == __version__
        assert response.json["models"] == ["affine", "shapes"]
        for path in response.json["endpoints"]:
            assert client.get(path).status_code == 200
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    response = client.get("/", headers=browser)
    assert response.content_type == "text/html; charset=utf-8"
    assert '<a href="/v1/models/affine">affine</a>' in response.text
    assert "Accept" in response.headers["Vary"]
    assert client.head("/").status_code == 200
    assert_error(client.post("/"), 405, "METHOD_NOT_ALLOWED")


def test_the_root_without_any_model(make_app: MakeApp) -> None:
    client = make_app().test_client()
    assert client.get("", environ_overrides={"PATH_INFO": ""}).status_code == 200
    assert client.get("/").json["models"] == []
    assert "No model yet." in client.get("/", headers={"Accept": "text/html"}).text


def test_settings_of_traces_and_logs_can_be_read_and_not_changed(client: FlaskClient) -> None:
    for path in ("/v2/trace/setting", "/v2/models/affine/trace/setting"):
        assert client.get(path).json["trace_level"] == ["OFF"]
        response = client.post(path, json={"trace_level": ["TIMESTAMPS"]})
        assert_error(response, 405, "METHOD_NOT_ALLOWED")
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert response.json["error"].startswith("Trace settings cannot be changed here")
    assert_error(client.get("/v2/models/nope/trace/setting"), 404, "NOT_FOUND")
    response = client.post("/v2/logging", json={"log_info": False})
    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert "UNDERSTUDY_ACCESS_LOG" in response.json["error"]


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_the_log_settings_are_true(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    logger = logging.getLogger("understudy")
    before = logger.level
    logger.setLevel(level)
    try:
        told = client.get("/v2/logging").json
    finally:
        logger.setLevel(before)
    assert told == {
        "log_file": "",
        "log_info": level <= logging.INFO,
        "log_warnings": level <= logging.WARNING,
        "log_errors": True,
        "log_verbose_level": 0,
        "log_format": "ISO8601",
    }


@pytest.mark.parametrize("memory", ["system", "cuda"])
def test_no_memory_is_shared(client: FlaskClient, memory: str) -> None:
    path = f"/v2/{memory}sharedmemory"
    assert client.get(f"{path}/status").json == []
    response = client.get(f"{path}/region/a/status")
    assert_error(response, 404, "NOT_FOUND")
    assert response.json["error"].startswith("There is no region 'a'")
    response = client.post(f"{path}/region/a/register", json={"key": "/a", "byte_size": 64})
    assert_error(response, 501, "UNIMPLEMENTED")
    assert response.json["error"].startswith("Shared memory is not supported here")
    for where in ("", "/region/a"):
        assert client.post(f"{path}{where}/unregister").json == {}


V1 = "/v1/models/affine"
V2 = "/v2/models/affine"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        *((f"{V1}{of}:explain", "Explanations") for of in ("", "/versions/1", "/labels/stable")),
        *((f"{V2}{of}/generate", "Generating text") for of in ("", "/versions/1")),
        *((f"{V2}{of}/generate_stream", "Generating text") for of in ("", "/versions/1")),
        *((f"{V2}{of}/infer_stream", "Answers in parts") for of in ("", "/versions/1")),
    ],
)
def test_what_is_not_done_here_is_said(client: FlaskClient, path: str, words: str) -> None:
    response = client.post(path, json={"text_input": "x", "instances": [1]})
    assert_error(response, 501, "UNIMPLEMENTED")
    verb = "/infer" if path.startswith("/v2") else ":predict"
    model = f"/{path.split('/')[1]}/models/affine"
    assert response.json["error"].startswith(f"{words} ")
    assert f"not supported here; POST {model}{verb}" in response.json["error"]
    assert_error(client.post(path.replace("affine", "nope")), 404, "NOT_FOUND")
    assert_error(client.get(path), 405, "METHOD_NOT_ALLOWED")
