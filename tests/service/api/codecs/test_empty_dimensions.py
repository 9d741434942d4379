"""Tensors of instances without values: what TensorFlow takes, every format takes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from flask.testing import FlaskClient

from tests.savedmodels.saving import save
from tests.service.api.plain_bodies import npy
from tests.service.conftest import MakeApp

HEADER = "Inference-Header-Content-Length"


class Sequences(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
    def free(self, x):
        return {"y": tf.reduce_sum(x, 1), "same": x}

    @tf.function(input_signature=[tf.TensorSpec([None, 0], tf.float32, name="x")])
    def none(self, x):
        return {"y": tf.reduce_sum(x, 1), "same": x}

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.float32, name="x")])
    def deep(self, x):
        return {"y": tf.reduce_sum(x, [1, 2]), "same": x}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, name="x")])
    def texts(self, x):
        return {"y": tf.cast(tf.shape(x)[1], tf.float32) + tf.zeros(tf.shape(x)[:1]), "same": x}


SHAPES = {"free": [2, 0], "none": [2, 0], "deep": [2, 0, 3], "texts": [2, 0]}


@pytest.fixture
def client(tmp_path: Path, make_app: MakeApp) -> FlaskClient:
    module = Sequences()
    for name in SHAPES:
        folder = tmp_path / "models" / name / "1"
        save(folder, module, serving_default=getattr(module, name))
    return make_app().test_client()


def tensor(name: str, **more: Any) -> dict[str, Any]:
    kind = "BYTES" if name == "texts" else "FP32"
    return {"name": "x", "shape": SHAPES[name], "datatype": kind, **more}


def v2(client: FlaskClient, name: str, item: dict[str, Any]) -> Any:
    return client.post(f"/v2/models/{name}/infer", json={"inputs": [item]})


def assert_empty(response: Any, shape: list[int]) -> None:
    assert response.status_code == 200, response.json
    outputs = {output["name"]: output for output in response.json["outputs"]}
    assert outputs["y"]["data"] == [0.0, 0.0]
    assert outputs["same"]["shape"] == shape
    assert outputs["same"]["data"] == []


@pytest.mark.parametrize("name", SHAPES)
def test_every_format_takes_instances_without_values(client: FlaskClient, name: str) -> None:
    shape = SHAPES[name]
    for data in ([], [[], []]):
        assert_empty(v2(client, name, tensor(name, data=data)), shape)
    header = json.dumps({"inputs": [tensor(name, parameters={"binary_data_size": 0})]})
    binary = client.post(
        f"/v2/models/{name}/infer", data=header, headers={HEADER: str(len(header))}
    )
    assert_empty(binary, shape)
    rows = client.post(f"/v1/models/{name}:predict", json={"instances": [{"x": []}, {"x": []}]})
    assert rows.json == {"predictions": [{"y": 0.0, "same": []}] * 2}
    for body in ({"instances": [[], []]}, {"inputs": [[], []]}, {"inputs": {"x": [[], []]}}):
        found = client.post(f"/v1/models/{name}:predict", json=body)
        assert found.status_code == 200, found.json
    if name != "texts":
        found = client.post(
            f"/v1/models/{name}:predict",
            data=npy(np.zeros(shape, np.float32)),
            content_type="application/x-npy",
        )
        assert found.status_code == 200, found.json
        assert len(found.json["predictions"]) == 2


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("free", [2**40, 0]),
        ("deep", [1, 2**62, 3]),
        ("deep", [2**62, 0, 3]),
        ("free", [0, 0]),
        ("free", [0, 5]),
    ],
)
def test_shapes_that_no_data_bear_out_are_refused(
    client: FlaskClient, name: str, shape: list[int]
) -> None:
    response = v2(client, name, tensor(name, data=[]) | {"shape": shape})
    assert response.status_code == 400
    assert "Expected" in response.json["error"]
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape})}}"
    header = header.replace("([", "(").replace("])", ")")
    npy_file = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    found = client.post(
        f"/v1/models/{name}:predict", data=npy_file, content_type="application/x-npy"
    )
    assert found.status_code == 400
    assert "Expected" in found.json["error"]


@pytest.mark.parametrize("data", [b"", b"1234"])
def test_no_rows_follow_from_a_raw_body_without_values(client: FlaskClient, data: bytes) -> None:
    response = client.post("/v2/models/none/infer", data=data, headers={HEADER: "0"})
    assert response.status_code == 400
    assert response.json["error"] == (
        "body: The shape of 'x' does not follow from the size of a raw body."
    )
