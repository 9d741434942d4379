"""TensorFlow Serving's REST format, through the whole application."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.api.routes.test_routes import assert_error

ROW = {"x": [1, 2], "text": "quiet"}


def predict(client: FlaskClient, model: str, body: Any, where: str = "") -> Any:
    response = client.post(f"/v1/models/{model}{where}:predict", json=body)
    assert response.status_code == 200, response.json
    return response


def test_rows_with_several_outputs_are_objects(client: FlaskClient) -> None:
    body = {"instances": [ROW, {"x": [3.5, 4], "text": "loud"}]}
    response = predict(client, "affine", body)
    assert response.json == {
        "predictions": [{"y": 6.0, "loud": "QUIET"}, {"y": 12.5, "loud": "LOUD"}]
    }
    assert response.content_type == "application/json"
    assert response.headers["X-Model-Version"] == "2"


def test_columns_with_several_outputs_are_an_object(client: FlaskClient) -> None:
    body = {"inputs": {"x": [[1, 2], [3.5, 4]], "text": ["quiet", "loud"]}}
    assert predict(client, "affine", body).json == {
        "outputs": {"y": [6.0, 12.5], "loud": ["QUIET", "LOUD"]}
    }


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": [[1, 2]]}, {"predictions": [6.0]}),
        ({"instances": [{"x": [1, 2]}]}, {"predictions": [6.0]}),
        ({"inputs": [[1, 2], [0, 0]]}, {"outputs": [6.0, 1.0]}),
        ({"inputs": {"x": [[1, 2]]}}, {"outputs": [6.0]}),
    ],
)
def test_one_input_and_one_output_need_no_names(
    client: FlaskClient, body: Any, answer: Any
) -> None:
    assert predict(client, "affine", {"signature_name": "only_y", **body}).json == answer


@pytest.mark.parametrize(
    ("where", "version", "y"),
    [
        ("", "2", 6.0),
        ("/versions/1", "1", 5.0),
        ("/versions/2", "2", 6.0),
        ("/labels/stable", "1", 5.0),
    ],
)
def test_versions_and_labels(client: FlaskClient, where: str, version: str, y: float) -> None:
    response = predict(client, "affine", {"instances": [ROW]}, where)
    assert response.json["predictions"][0]["y"] == y
    assert response.headers["X-Model-Version"] == version


@pytest.mark.parametrize(
    ("instances", "answers"),
    [
        ([ROW], [6.0]),
        ([ROW | {"shift": None}], [6.0]),
        ([ROW | {"shift": 10}, ROW, ROW | {"shift": None}], [16.0, 6.0, 6.0]),
    ],
)
def test_a_nullable_field_may_be_null_or_left_out(
    client: FlaskClient, instances: Any, answers: list[float]
) -> None:
    response = predict(client, "affine", {"instances": instances})
    assert [row["y"] for row in response.json["predictions"]] == answers


@pytest.mark.parametrize(
    ("query", "body", "y"),
    [
        ("?signature_name=only_y", {}, [6.0]),
        ("?signature_name=nope", {"signature_name": "only_y"}, [6.0]),
        ("?signature_name=", {"signature_name": "only_y"}, [6.0]),
        ("?other=1", {"signature_name": "only_y"}, [6.0]),
    ],
)
@pytest.mark.parametrize("instance", [[1, 2], {"x": [1, 2]}])
def test_the_query_names_the_signature_unless_the_body_does(
    client: FlaskClient, query: str, body: dict[str, str], y: list[float], instance: Any
) -> None:
    response = client.post(
        f"/v1/models/affine:predict{query}", json={**body, "instances": [instance]}
    )
    assert response.json == {"predictions": y}


def test_a_query_that_names_no_signature_of_the_model(client: FlaskClient) -> None:
    response = client.post("/v1/models/affine:predict?signature_name=x", json={"instances": [ROW]})
    assert_error(response, 400, "INVALID_ARGUMENT")
    assert response.json["error"].startswith('Serving signature name: "x" not found')


def test_a_nullable_column_may_hold_nulls_or_be_left_out(client: FlaskClient) -> None:
    inputs = {"x": [[1, 2], [1, 2]], "text": ["quiet", "quiet"]}
    for columns, answers in ((inputs, [6.0, 6.0]), (inputs | {"shift": [None, 1]}, [6.0, 7.0])):
        response = predict(client, "affine", {"inputs": columns})
        assert response.json["outputs"]["y"] == answers


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", None]
)
def test_json_by_any_name_that_clients_give_it(
    client: FlaskClient, content_type: str | None
) -> None:
    response = client.post(
        "/v1/models/affine:predict",
        data='{"instances": [{"x": [1, 2], "text": "quiet"}]}',
        content_type=content_type or "application/x-www-form-urlencoded",
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("signature", "body", "answer"),
    [
        ("scalar", {"inputs": {"count": 3, "twice": True}}, {"outputs": 6}),
        ("grid", {"instances": [[[1, 2, 3], [4, 5, 255]]]}, {"predictions": [270]}),
        (
            "words",
            {"instances": [["a", "é"], ["b", "c"]]},
            {
                "predictions": [
                    {
                        "joined": "a é",
                        "raw_bytes": {"b64": base64.b64encode("aé".encode()).decode()},
                    },
                    {"joined": "b c", "raw_bytes": {"b64": base64.b64encode(b"bc").decode()}},
                ]
            },
        ),
        (
            "words",
            {"inputs": [[{"b64": "/w=="}, "x"]]},
            {"outputs": {"joined": [{"b64": "/yB4"}], "raw_bytes": [{"b64": "/3g="}]}},
        ),
        (
            "any_shape",
            {"inputs": [[1, 2], [3, 4]]},
            {"outputs": {"sum": 10.0, "same": [[1.0, 2.0], [3.0, 4.0]]}},
        ),
        ("any_shape", {"inputs": 2.5}, {"outputs": {"sum": 2.5, "same": 2.5}}),
        ("two_of_any_shape", {"inputs": {"a": 1, "Meta": 2.5}}, {"outputs": 3.5}),
        ("two_of_any_shape", {"instances": [{"a": [1], "Meta": [2]}]}, {"predictions": [[3.0]]}),
        ("logarithm", {"instances": [1]}, {"predictions": [0.0]}),
    ],
)
def test_a_foreign_model_is_served_by_its_signatures(
    client: FlaskClient, signature: str, body: Any, answer: Any
) -> None:
    assert predict(client, "shapes", {"signature_name": signature, **body}).json == answer


def test_float32_is_written_in_its_own_shortest_digits(client: FlaskClient) -> None:
    body = {"signature_name": "only_y", "instances": [[0.1, 0]]}
    assert predict(client, "affine", body, "/versions/1").data == b'{"predictions":[0.1]}'


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
        "inputs.text: Expected one of 'quiet', 'loud', not null.",
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
