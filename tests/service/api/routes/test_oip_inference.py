"""Requests of the Open Inference Protocol and their answers, through the whole application."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import publish_scores
from tests.savedmodels.shapes import save_shapes
from tests.service.conftest import served

HEADER = "Inference-Header-Content-Length"
X = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
TEXT = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["quiet"]}
ONLY_Y = {"signature_name": "only_y"}


@pytest.fixture(scope="module", params=["loop", "flask"])
def v2(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    """A client of an application with ``affine``, ``scores``, and the foreign ``shapes``."""
    root = tmp_path_factory.mktemp("models")
    publish_affine(root, bias=0.0)
    publish_affine(root, bias=1.0)
    (root / "affine" / "policy.json").write_text('{"serve": {"latest": 2}}')
    publish_scores(root)
    save_shapes(root / "shapes" / "1")
    with served(root, request.param, max_body_bytes=100_000) as client:
        yield client


def infer(client: FlaskClient, body: Any, model: str = "affine", tail: bytes = b"") -> Any:
    """Send a request, with bytes after its JSON if there are any."""
    head = json.dumps(body).encode()
    headers = {HEADER: str(len(head))} if tail else {}
    return client.post(f"/v2/models/{model}/infer", data=head + tail, headers=headers)


def binary_outputs(response: Any) -> dict[str, bytes]:
    """Return the bytes of each output, by name, from where its answer says they are."""
    length = int(response.headers[HEADER])
    assert response.content_type == "application/octet-stream"
    position, found = length, {}
    for output in json.loads(response.data[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        assert "data" not in output
        found[output["name"]] = response.data[position : position + size]
        position += size
    assert position == len(response.data)
    return found


def test_all_outputs_come_unless_some_are_asked_for(v2: FlaskClient) -> None:
    response = infer(v2, {"id": "42", "inputs": [X, TEXT]})
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["X-Model-Version"] == "2"
    assert list(response.json) == ["id", "model_name", "model_version", "outputs"]
    assert response.json == {
        "id": "42",
        "model_name": "affine",
        "model_version": "2",
        "outputs": [
            {"name": "y", "datatype": "FP32", "shape": [1], "data": [6.0]},
            {"name": "loud", "datatype": "BYTES", "shape": [1], "data": ["QUIET"]},
        ],
    }


def test_outputs_come_in_the_order_in_which_they_are_asked_for(v2: FlaskClient) -> None:
    for names in (["loud", "y"], ["y", "loud"], ["loud"]):
        body = {"inputs": [X, TEXT], "outputs": [{"name": name} for name in names]}
        response = infer(v2, body)
        assert [output["name"] for output in response.json["outputs"]] == names
        assert "id" not in response.json


def test_a_version_is_asked_by_its_number(v2: FlaskClient) -> None:
    for version, y in (("1", 5.0), ("2", 6.0)):
        body = {"inputs": [X, TEXT]}
        response = v2.post(f"/v2/models/affine/versions/{version}/infer", json=body)
        assert response.json["model_version"] == version
        assert response.json["outputs"][0]["data"] == [y]


@pytest.mark.parametrize(
    "data",
    [[1, 2, 3.5, 4], [[1, 2], [3.5, 4]], [1.0, 2, 35e-1, 4]],
    ids=["flat", "nested", "mixed"],
)
def test_data_is_flat_or_nested(v2: FlaskClient, data: Any) -> None:
    body = {"inputs": [X | {"shape": [2, 2], "data": data}], "parameters": ONLY_Y}
    assert infer(v2, body).json["outputs"] == [
        {"name": "y", "datatype": "FP32", "shape": [2], "data": [6.0, 12.5]}
    ]


@pytest.mark.parametrize(
    ("shift", "y"),
    [
        (None, [6.0, 6.0]),
        ([None, 1], [6.0, 7.0]),
        ([3, 4.5], [9.0, 10.5]),
    ],
)
def test_a_nullable_input_may_be_null_or_left_out(v2: FlaskClient, shift: Any, y: Any) -> None:
    inputs = [
        X | {"shape": [2, 2], "data": [1, 2, 1, 2]},
        TEXT | {"shape": [2], "data": ["quiet", {"b64": "bG91ZA=="}]},
    ]
    if shift is not None:
        inputs.append({"name": "shift", "shape": [2], "datatype": "FP32", "data": shift})
    response = infer(v2, {"inputs": inputs})
    assert [output["data"] for output in response.json["outputs"]] == [y, ["QUIET", "LOUD"]]


def test_nan_in_bytes_stands_for_null_where_null_is_allowed(v2: FlaskClient) -> None:
    shift = np.array([np.nan, 1], "<f4").tobytes()
    inputs = [
        X | {"shape": [2, 2], "data": [1, 2, 1, 2]},
        {"name": "shift", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
        TEXT | {"shape": [2], "data": ["quiet", "quiet"]},
    ]
    response = infer(v2, {"inputs": inputs}, tail=shift)
    assert response.json["outputs"][0]["data"] == [6.0, 7.0]


def test_bytes_both_ways(v2: FlaskClient) -> None:
    tail = np.array([[1, 2], [3.5, 4]], "<f4").tobytes() + b"\5\0\0\0quiet\4\0\0\0loud"
    body = {
        "inputs": [
            {
                "name": "x",
                "shape": [2, 2],
                "datatype": "FP32",
                "parameters": {"binary_data_size": 16},
            },
            {
                "name": "text",
                "shape": [2],
                "datatype": "BYTES",
                "parameters": {"binary_data_size": 17},
            },
        ],
        "parameters": {"binary_data_output": True},
    }
    response = infer(v2, body, tail=tail)
    assert response.status_code == 200, response.json
    assert binary_outputs(response) == {
        "y": np.array([6, 12.5], "<f4").tobytes(),
        "loud": b"\5\0\0\0QUIET\4\0\0\0LOUD",
    }


@pytest.mark.parametrize("default", [None, False, True])
@pytest.mark.parametrize("asked", [None, False, True])
def test_an_output_says_itself_whether_it_comes_as_bytes(
    v2: FlaskClient, default: bool | None, asked: bool | None
) -> None:
    body: dict[str, Any] = {"inputs": [X, TEXT], "outputs": [{"name": "y"}, {"name": "loud"}]}
    if default is not None:
        body["parameters"] = {"binary_data_output": default}
    if asked is not None:
        body["outputs"][0]["parameters"] = {"binary_data": asked}
    response = infer(v2, body)
    length = int(response.headers.get(HEADER, len(response.data)))
    y, loud = json.loads(response.data[:length])["outputs"]
    expected = bool(default) if asked is None else asked
    assert ("data" in y, "data" in loud) == (not expected, not default)


def test_json_and_bytes_may_be_mixed(v2: FlaskClient) -> None:
    text = TEXT | {"parameters": {"binary_data_size": 9}}
    del text["data"]
    body = {"inputs": [text, X], "outputs": [{"name": "loud", "parameters": {"binary_data": True}}]}
    response = infer(v2, body, tail=b"\5\0\0\0quiet")
    assert binary_outputs(response) == {"loud": b"\5\0\0\0QUIET"}


def test_what_is_no_text_is_base64_in_json(v2: FlaskClient) -> None:
    body = {
        "inputs": [
            {"name": "words", "shape": [1, 1], "datatype": "BYTES", "data": [{"b64": "/w=="}]}
        ],
        "parameters": {"signature_name": "words"},
        "outputs": [{"name": "joined"}],
    }
    assert infer(v2, body, "shapes").json["outputs"][0]["data"] == [{"b64": "/w=="}]


@pytest.mark.parametrize(
    ("signature", "inputs", "outputs"),
    [
        (
            "scalar",
            [
                {"name": "count", "shape": [], "datatype": "INT32", "data": [3]},
                {"name": "twice", "shape": [], "datatype": "BOOL", "data": [True]},
            ],
            [{"name": "result", "datatype": "INT32", "shape": [], "data": [6]}],
        ),
        (
            "grid",
            [
                {
                    "name": "grid",
                    "shape": [1, 2, 3],
                    "datatype": "UINT8",
                    "data": [1, 2, 3, 4, 5, 255],
                }
            ],
            [{"name": "total", "datatype": "INT64", "shape": [1], "data": [270]}],
        ),
        (
            "any_shape",
            [{"name": "anything", "shape": [1, 2], "datatype": "FP64", "data": [[1, 2]]}],
            [
                {"name": "same", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 2.0]},
                {"name": "sum", "datatype": "FP64", "shape": [], "data": [3.0]},
            ],
        ),
        (
            "any_shape",
            [{"name": "anything", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}],
            [
                {
                    "name": "same",
                    "datatype": "FP64",
                    "shape": [2, 2],
                    "data": [1.0, 2.0, 3.0, 4.0],
                },
                {"name": "sum", "datatype": "FP64", "shape": [], "data": [10.0]},
            ],
        ),
    ],
)
def test_a_foreign_model_is_asked_by_its_signatures(
    v2: FlaskClient, signature: str, inputs: Any, outputs: Any
) -> None:
    body = {"inputs": inputs, "parameters": {"signature_name": signature}}
    for response in (
        infer(v2, body, "shapes"),
        v2.post(
            f"/v2/models/shapes/infer?signature_name={signature}",
            json={"inputs": inputs, "model_name": "shapes", "parameters": None, "outputs": None},
        ),
    ):
        assert response.status_code == 200, response.json
        assert response.json["outputs"] == outputs


@pytest.mark.parametrize("told", [HEADER, "Content-Type"])
def test_a_raw_body_is_the_only_input(v2: FlaskClient, told: str) -> None:
    headers = {HEADER: "0"} if told == HEADER else {told: "application/octet-stream"}
    response = v2.post(
        "/v2/models/affine/infer?signature_name=only_y",
        data=np.array([1, 2, 3.5, 4], "<f4").tobytes(),
        headers=headers,
    )
    assert binary_outputs(response) == {"y": np.array([6, 12.5], "<f4").tobytes()}


def test_a_raw_body_may_be_one_text(v2: FlaskClient) -> None:
    response = v2.post(
        "/v2/models/shapes/infer?signature_name=words", data=b"\xff{", headers={HEADER: "0"}
    )
    assert binary_outputs(response)["joined"] == b"\2\0\0\0\xff{"


@pytest.mark.parametrize(
    ("output", "classes", "shape", "data"),
    [
        ("scores", 1, [2, 1], ["9.500000:1:middle", "3.000000:0:low"]),
        (
            "scores",
            2,
            [2, 2],
            ["9.500000:1:middle", "2.000000:2:high", "3.000000:0:low", "3.000000:1:middle"],
        ),
        ("counts", 1, [2, 1], ["9:1:middle", "3:0:low"]),
        (
            "scores",
            99,
            [2, 3],
            [
                *("9.500000:1:middle", "2.000000:2:high", "1.000000:0:low"),
                *("3.000000:0:low", "3.000000:1:middle", "1.000000:2:high"),
            ],
        ),
    ],
)
def test_classes(v2: FlaskClient, output: str, classes: int, shape: Any, data: Any) -> None:
    body = {
        "inputs": [
            {"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 9.5, 2, 3, 3, 1]}
        ],
        "outputs": [{"name": output, "parameters": {"classification": classes}}],
    }
    expected = {"name": output, "datatype": "BYTES", "shape": shape, "data": data}
    assert infer(v2, body, "scores").json["outputs"] == [expected]
    body["outputs"][0]["parameters"]["binary_data"] = True
    packed = b"".join(len(text).to_bytes(4, "little") + text.encode() for text in data)
    assert binary_outputs(infer(v2, body, "scores")) == {output: packed}


def test_classes_without_labels_and_without_rows(v2: FlaskClient) -> None:
    body = {
        "inputs": [{"name": "anything", "shape": [2, 2], "datatype": "FP64", "data": [1, 4, 2, 3]}],
        "outputs": [
            {"name": "same", "parameters": {"classification": 1}},
            {"name": "sum", "parameters": {"classification": 3}},
        ],
        "parameters": {"signature_name": "any_shape"},
    }
    assert [(o["shape"], o["data"]) for o in infer(v2, body, "shapes").json["outputs"]] == [
        ([1], ["4.000000:1"]),
        ([1], ["10.000000:0"]),
    ]


def test_an_answer_that_json_cannot_hold_comes_as_bytes(v2: FlaskClient) -> None:
    body: dict[str, Any] = {
        "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [0]}],
        "parameters": {"signature_name": "logarithm"},
    }
    response = infer(v2, body, "shapes")
    assert response.status_code == 400
    assert "ask for binary data" in response.json["error"]
    body["parameters"]["binary_data_output"] = True
    response = infer(v2, body, "shapes")
    assert binary_outputs(response) == {"log": np.array([-np.inf], "<f4").tobytes()}
