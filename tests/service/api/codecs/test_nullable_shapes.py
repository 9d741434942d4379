"""Inputs that may be null and have no free first dimension: a scalar, and as many as a graph fixes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import tensorflow as tf
from flask.testing import FlaskClient

from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.saving import card, publish, save
from tests.service.conftest import served


class Unknowns(tf.Module):
    """Answers 7 where it is not told anything."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="x"),
            tf.TensorSpec([], tf.float32, name="k"),
        ]
    )
    def of_scalar(self, x, k):
        return {"y": x + tf.where(tf.math.is_nan(k), 7.0, k)}

    @tf.function(input_signature=[tf.TensorSpec([2], tf.float32, name="k")])
    def of_two(self, k):
        return {"y": tf.where(tf.math.is_nan(k), 7.0, k)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="k")])
    def of_any(self, k):
        return {"y": tf.where(tf.math.is_nan(k), 7.0, k)}


X = Field(name="x", dtype="float32", shape=(None,))
SCALAR = Field(name="k", dtype="float32", shape=(), nullable=True, maximum=9)
TWO = Field(name="k", dtype="float32", shape=(2,), nullable=True)
ANY = Field(name="k", dtype="float32", shape=(None,), nullable=True)
CONTRACT: Contract = {
    "of_scalar": Signature(
        "of_scalar", (X, SCALAR), (Field(name="y", dtype="float32", shape=(None,)),)
    ),
    "of_two": Signature("of_two", (TWO,), (Field(name="y", dtype="float32", shape=(2,)),)),
    "of_any": Signature("of_any", (ANY,), (Field(name="y", dtype="float32", shape=(None,)),)),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    root, model = tmp_path_factory.mktemp("models"), Unknowns()
    publish(
        root,
        card("unknowns", CONTRACT),
        lambda directory: save(
            directory, model, of_scalar=model.of_scalar, of_two=model.of_two, of_any=model.of_any
        ),
    )
    with served(root, "loop") as client:
        yield client


def predict(client: FlaskClient, signature: str, **body: Any) -> Any:
    data = json.dumps({"signature_name": signature, **body})
    return client.post("/v1/models/unknowns:predict", data=data).json


@pytest.mark.parametrize("inputs", [{"x": [1.0, 2.0, 3.0], "k": None}, {"x": [1.0, 2.0, 3.0]}])
def test_a_scalar_may_be_null_or_left_out(client: FlaskClient, inputs: Any) -> None:
    assert predict(client, "of_scalar", inputs=inputs) == {"outputs": [8.0, 9.0, 10.0]}


def test_null_and_left_out_are_the_same_in_v2(client: FlaskClient) -> None:
    x = {"name": "x", "shape": [3], "datatype": "FP32", "data": [1, 2, 3]}
    for more in ([], [{"name": "k", "shape": [], "datatype": "FP32", "data": [None]}]):
        body = {"inputs": [x, *more], "parameters": {"signature_name": "of_scalar"}}
        (output,) = client.post("/v2/models/unknowns/infer", json=body).json["outputs"]
        assert output["data"] == [8.0, 9.0, 10.0]


def test_what_is_left_out_is_as_long_as_the_graph_says(client: FlaskClient) -> None:
    assert predict(client, "of_two", inputs={}) == {"outputs": [7.0, 7.0]}
    assert predict(client, "of_two", inputs=[None, 1.0]) == {"outputs": [7.0, 1.0]}


@pytest.mark.parametrize(
    ("signature", "inputs", "problem"),
    [
        ("of_any", {"k": None}, "inputs.k: Expected a list, not null."),
        ("of_any", None, "inputs: Expected a list, not null."),
        ("of_two", {"k": None}, "inputs.k: Expected a list of 2 values, not null."),
        ("of_scalar", {"x": None, "k": 1}, "inputs.x: Expected a list, not null."),
    ],
)
def test_null_in_place_of_a_list_is_named(
    client: FlaskClient, signature: str, inputs: Any, problem: str
) -> None:
    assert predict(client, signature, inputs=inputs)["error"] == problem
