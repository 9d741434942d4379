"""TensorFlow Serving's REST format, through the whole application."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.api.error_bodies import assert_error

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
