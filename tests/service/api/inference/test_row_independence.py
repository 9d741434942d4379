"""Columns of different lengths, and requests that are refused, where rows depend on one another."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.runtime.servable import Servable
from tests.savedmodels.mixing import save_mixing
from tests.service.conftest import served

PATH = "/v1/models/mixing:predict"
# How many rows of each input the model was asked about, call by call.
CALLS: list[dict[str, int]] = []


@pytest.fixture(scope="module", params=["loop", "flask"])
def mixing(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    save_mixing(root / "mixing" / "1")
    predict = Servable.predict

    def noted(servable: Servable, signature: Any, inputs: Mapping[str, Any]) -> Any:
        CALLS.append({name: tensor.shape[0] for name, tensor in inputs.items()})
        return predict(servable, signature, inputs)

    with pytest.MonkeyPatch.context() as patch:
        # Before there are queues, which keep the method that they call.
        patch.setattr(Servable, "predict", noted)
        with served(root, request.param, max_rows=100, max_batch_rows=4) as client:
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


@pytest.mark.parametrize("signature", ["separate", "nested"])
def test_inputs_that_never_meet_may_be_of_different_lengths(
    mixing: FlaskClient, signature: str
) -> None:
    def answer(a: list[int], b: list[int]) -> tuple[int, dict]:
        sides = {"a": [2 * x for x in a], "b": [3 * x for x in b]}
        if signature == "nested":
            sides = {"a": [2 * (x + 1) for x in a], "b": [2 * x + 1 for x in b]}
        return 200, {"outputs": sides}

    for a, b in (([1], [1, 2]), ([1, 2, 3], [4]), ([1, 2], [3, 4])):
        assert ask(mixing, signature, {"a": a, "b": b}) == answer(a, b)


@pytest.mark.parametrize("signature", ["product", "crossed", "ordered"])
def test_inputs_that_meet_need_equally_many_rows(mixing: FlaskClient, signature: str) -> None:
    status, answer = ask(mixing, signature, {"a": [1], "b": [1, 2]})
    assert status == 400
    assert answer["details"] == {"inputs.b": ["Expected 1 row, as many as 'a' has, not 2."]}
    assert ask(mixing, signature, {"a": [1, 2], "b": [1, 2]})[0] == 200


def test_different_lengths_run_whole_and_alone(mixing: FlaskClient) -> None:
    """A batch has four rows at most, and concurrent requests share one where they may."""
    CALLS.clear()
    assert ask(mixing, "separate", {"a": [1] * 3, "b": [1] * 9})[0] == 200
    assert CALLS == [{"a": 3, "b": 9}]
    assert ask(mixing, "separate", {"a": [1] * 9, "b": [1] * 9})[0] == 200
    assert CALLS[1:] == [{"a": n, "b": n} for n in (4, 4, 1)]
    CALLS.clear()

    def check(i: int) -> None:
        a, b = [i] * (1 + i % 2), [i] * (1 + i % 3)
        outputs = {"a": [2 * i] * len(a), "b": [3 * i] * len(b)}
        assert ask(mixing, "separate", {"a": a, "b": b}) == (200, {"outputs": outputs})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(120)))
    unequal = [(call["a"], call["b"]) for call in CALLS if call["a"] != call["b"]]
    assert Counter(unequal) == {(1, 2): 20, (1, 3): 20, (2, 1): 20, (2, 3): 20}


@pytest.mark.parametrize("signature", ["apart", "separate"])
def test_v2_takes_inputs_of_different_lengths_too(mixing: FlaskClient, signature: str) -> None:
    body = {
        "parameters": {"signature_name": signature},
        "inputs": [
            {"name": "a", "datatype": "FP32", "shape": [1], "data": [1]},
            {"name": "b", "datatype": "FP32", "shape": [2], "data": [1, 2]},
        ],
    }
    response = mixing.post("/v2/models/mixing/infer", json=body)
    assert response.status_code == 200, response.json
    assert {each["name"]: each["data"] for each in response.json["outputs"]} == {
        "a": [1.0] if signature == "apart" else [2.0],
        "b": [1.0, 3.0] if signature == "apart" else [3.0, 6.0],
    }
