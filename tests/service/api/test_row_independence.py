"""Columns of different lengths, and requests that are refused, where rows depend on one another."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.savedmodels.mixing import save_mixing
from tests.service.conftest import served

PATH = "/v1/models/mixing:predict"


@pytest.fixture(scope="module", params=["express", "flask"])
def mixing(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    save_mixing(root / "mixing" / "1")
    with served(root, request.param, max_rows=100) as client:
        yield client


def ask(client: FlaskClient, signature: str, inputs: object) -> tuple[int, dict]:
    response = client.post(PATH, json={"signature_name": signature, "inputs": inputs})
    return response.status_code, response.json


def test_columns_of_different_lengths_are_answered_as_a_whole(mixing: FlaskClient) -> None:
    assert ask(mixing, "apart", {"a": [1], "b": [1, 2]}) == (
        200,
        {"outputs": {"a": [1.0], "b": [1.0, 3.0]}},
    )


def test_independent_rows_need_equally_many(mixing: FlaskClient) -> None:
    status, answer = ask(mixing, "product", {"a": [1], "b": [1, 2]})
    assert status == 400
    assert answer["details"] == {"inputs.b": ["Expected 1 row, as many as 'a' has, not 2."]}


def test_the_longest_column_counts_against_the_bound(mixing: FlaskClient) -> None:
    status, answer = ask(mixing, "apart", {"a": [1], "b": [1] * 101})
    assert status == 400
    assert "100" in answer["error"]


def test_no_row_is_blamed_for_what_all_do_together(mixing: FlaskClient) -> None:
    status, answer = ask(mixing, "picky", [4, 4, 4])
    assert status == 400
    assert "details" not in answer
    assert ask(mixing, "picky", [4, 4]) == (200, {"outputs": [4.0, 8.0]})


def test_v2_takes_inputs_of_different_lengths_too(mixing: FlaskClient) -> None:
    body = {
        "parameters": {"signature_name": "apart"},
        "inputs": [
            {"name": "a", "datatype": "FP32", "shape": [1], "data": [1]},
            {"name": "b", "datatype": "FP32", "shape": [2], "data": [1, 2]},
        ],
    }
    response = mixing.post("/v2/models/mixing/infer", json=body)
    assert response.status_code == 200, response.json
    assert {each["name"]: each["data"] for each in response.json["outputs"]} == {
        "a": [1.0],
        "b": [1.0, 3.0],
    }
