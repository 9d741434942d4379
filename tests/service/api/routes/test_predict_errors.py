"""What is no request in TensorFlow Serving's REST format, and how it is explained."""

from typing import Any

import pytest
from flask.testing import FlaskClient

ROW = {"x": [1, 2], "text": "quiet"}

BAD_REQUESTS: list[tuple[Any, str, list[str]]] = [
    # body, the beginning of the sentence, the places in details
    ([], "Expected a JSON object with 'instances' or 'inputs', not a list of 0 values.", []),
    ({}, "Missing 'inputs' or 'instances' key.", ["body"]),
    (
        {"instances": [ROW], "inputs": {}},
        "Expected only one of 'inputs' and 'instances', not both.",
        ["body"],
    ),
    (
        {"instances": [ROW], "rows": 1},
        "rows: Unknown field; the body takes signature_name, and instances or inputs.",
        ["rows"],
    ),
    (
        {"instances": [ROW], "signature_name": 3},
        "signature_name: Expected a string, not 3.",
        ["signature_name"],
    ),
    (
        {"instances": [ROW], "signature_name": None},
        "signature_name: Expected a string, not null.",
        ["signature_name"],
    ),
    (
        {"instances": [{**ROW, "text": {"b64": "é"}}]},
        """instances[0].text: Expected one of 'quiet', 'loud' or {"b64": "<base64>"}, not {"b64": "é"}.""",
        ["instances[0].text"],
    ),
    (
        {"instances": [ROW], "signature_name": "x"},
        'Serving signature name: "x" not found in signature def; there are: only_y, serving_default.',
        [],
    ),
    (
        {"instances": []},
        "instances: Expected a list of at least 1 instance, not a list of 0 values.",
        ["instances"],
    ),
    (
        {"instances": {}},
        "instances: Expected a list of at least 1 instance, not an object.",
        ["instances"],
    ),
    (
        {"instances": None},
        "instances: Expected a list of at least 1 instance, not null.",
        ["instances"],
    ),
    (
        {"instances": [1]},
        "instances[0]: Expected an object with x, text, shift, not 1.",
        ["instances[0]"],
    ),
    (
        {"instances": [ROW, 1]},
        "instances[1]: Expected an object with x, text, shift, not 1.",
        ["instances[1]"],
    ),
    (
        {"instances": [{**ROW, "z": 1}]},
        "instances[0].z: Unknown field; signature 'serving_default' takes x, text, shift.",
        ["instances[0].z"],
    ),
    (
        {"instances": [ROW, {"x": [1, 2]}]},
        "instances[1].text: Missing; expected one of 'quiet', 'loud'.",
        ["instances[1].text"],
    ),
    (
        {"instances": [{**ROW, "x": [1, "2"]}]},
        "instances[0].x[1]: Expected a number from -100 to 100 m, not '2'.",
        ["instances[0].x[1]"],
    ),
    (
        {"instances": [{**ROW, "x": [1, True]}]},
        "instances[0].x[1]: Expected a number from -100 to 100 m, not true.",
        ["instances[0].x[1]"],
    ),
    (
        {"instances": [{**ROW, "x": [1, 101]}]},
        "instances[0].x[1]: Expected a number from -100 to 100 m, not 101.",
        ["instances[0].x[1]"],
    ),
    (
        {"instances": [{**ROW, "x": [1]}]},
        "instances[0].x: Expected a list of 2 values, not a list of 1 value.",
        ["instances[0].x"],
    ),
    (
        {"instances": [{**ROW, "x": None}]},
        "instances[0].x: Expected a list of 2 values, not null.",
        ["instances[0].x"],
    ),
    (
        {"instances": [{**ROW, "text": "shout"}]},
        "instances[0].text: Expected one of 'quiet', 'loud', not 'shout'.",
        ["instances[0].text"],
    ),
    (
        {"instances": [{**ROW, "x": [1, 500]}, {"x": [1, 2]}, {**ROW, "text": 3}]},
        "instances[0].x[1]: Expected a number from -100 to 100 m, not 500. (The first of 3 problems.)",
        ["instances[0].x[1]", "instances[1].text", "instances[2].text"],
    ),
    ({"inputs": 1}, "inputs: Expected an object with x, text, shift, not 1.", ["inputs"]),
    (
        {"inputs": {"x": [[1, 2]], "text": ["quiet"], "z": 1}},
        "inputs.z: Unknown field; signature 'serving_default' takes x, text, shift.",
        ["inputs.z"],
    ),
    (
        {"inputs": {"x": [[1, 2]]}},
        "inputs.text: Missing; expected one of 'quiet', 'loud'.",
        ["inputs.text"],
    ),
    (
        {"inputs": {"x": [[1, 2]], "text": None}},
        "inputs.text: Expected a list, not null.",
        ["inputs.text"],
    ),
    (
        {"inputs": {"x": [[1, 2], [3]], "text": ["quiet", "quiet"]}},
        "inputs.x[1]: Expected a list of 2 values, not a list of 1 value.",
        ["inputs.x[1]"],
    ),
    (
        {"inputs": {"x": [[1, 2]], "text": ["quiet", "loud"]}},
        "inputs.text: Expected 1 row, as many as 'x' has, not 2.",
        ["inputs.text"],
    ),
    (
        {"signature_name": "only_y", "instances": [[1, 2], [1]]},
        "instances[1]: Expected a list of 2 values, not a list of 1 value.",
        ["instances[1]"],
    ),
    (
        {"signature_name": "only_y", "inputs": [[1, []]]},
        "inputs[0][1]: Expected a number within float32, not a list of 0 values.",
        ["inputs[0][1]"],
    ),
    (
        {"signature_name": "only_y", "instances": [{"b64": "AA=="}]},
        'instances[0]: Expected a list of 2 values, not {"b64": "AA=="}.',
        ["instances[0]"],
    ),
]


@pytest.mark.parametrize(("body", "sentence", "places"), BAD_REQUESTS)
def test_bad_requests_are_explained(
    client: FlaskClient, body: Any, sentence: str, places: list[str]
) -> None:
    response = client.post("/v1/models/affine:predict", json=body)
    assert response.status_code == 400
    assert response.json["error"] == sentence
    assert response.json["code"] == "INVALID_ARGUMENT"
    assert list(response.json.get("details", {})) == places


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "JSON Parse error: The document is empty."),
        (b"null", "Expected a JSON object with 'instances' or 'inputs', not null."),
        (b"  \n", "JSON Parse error: The document is empty."),
        (b'{"instances": [', "JSON Parse error: "),
        (b'{"instances": [[NaN, 1]]}', "JSON Parse error: "),
        (b'{"instances": [[Infinity, 1]]}', "JSON Parse error: "),
        (b'{"instances": [[1e999, 1]]}', "JSON Parse error: "),
        (b'{"instances": ["\xff"]}', "JSON Parse error: "),
        (b'{"instances": ["\\ud800"]}', "JSON Parse error: "),
        (b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}", "JSON Parse error: "),
    ],
)
def test_what_is_not_strict_json(client: FlaskClient, body: bytes, sentence: str) -> None:
    response = client.post("/v1/models/affine:predict", data=body)
    assert response.status_code == 400
    assert response.json["error"].startswith(sentence)


def test_rows_for_a_model_that_does_not_answer_by_rows(client: FlaskClient) -> None:
    body = {"signature_name": "any_shape", "instances": [1, 2]}
    response = client.post("/v1/models/shapes:predict", json=body)
    assert response.status_code == 400
    assert "send 'inputs' instead of 'instances'" in response.json["error"]


def test_an_answer_that_json_cannot_hold(client: FlaskClient) -> None:
    response = client.post(
        "/v1/models/shapes:predict", json={"signature_name": "logarithm", "instances": [1, 0, -1]}
    )
    assert response.status_code == 400
    assert response.json["error"] == (
        "The model has no finite answer to these values: log[1] is infinity, and JSON has no such "
        "number."
    )


def test_bytes_that_the_graph_refuses(client: FlaskClient) -> None:
    body = {"signature_name": "decode", "instances": [{"b64": "AAAA"}]}
    response = client.post("/v1/models/shapes:predict", json=body)
    assert response.status_code == 400
    # What TensorFlow found, and not where in the graph it was.
    assert response.json["error"].startswith("instances[0]: The model refused the input: ")
    assert "Graph execution" not in response.json["error"]
    assert len(response.json["error"]) > 40


@pytest.mark.parametrize("depth", [33, 70, 500])
def test_lists_in_lists_in_lists(client: FlaskClient, depth: int) -> None:
    body = f'{{"signature_name": "any_shape", "inputs": {"[" * depth}1{"]" * depth}}}'
    response = client.post("/v1/models/shapes:predict", data=body)
    assert response.status_code == 400
    assert response.json["error"] == "inputs: Expected at most 32 lists in each other."


def test_names_that_are_told_back_are_cut(client: FlaskClient) -> None:
    for body in (
        {"instances": [ROW], "signature_name": "x" * 50_000},
        {"instances": [ROW | {"x" * 50_000: 1}]},
        {"inputs": {"x" * 50_000: 1}},
        {"x" * 50_000: 1},
    ):
        response = client.post("/v1/models/affine:predict", json=body)
        assert response.status_code == 400
        assert len(response.data) < 1500


def test_a_body_that_ends_early(client: FlaskClient) -> None:
    response = client.post(
        "/v1/models/affine:predict", data=b'{"instances": []}', headers={"Content-Length": "99"}
    )
    assert response.status_code == 400


def test_too_large_a_body(client: FlaskClient) -> None:
    response = client.post("/v1/models/affine:predict", data=b" " * 100_001)
    assert response.status_code == 413
    assert response.json == {
        "error": "The body is larger than 100000 bytes.",
        "code": "PAYLOAD_TOO_LARGE",
    }
