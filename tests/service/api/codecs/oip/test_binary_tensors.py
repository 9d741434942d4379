"""Binary framings: what is packed is unpacked, and what is broken is refused."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.api.codecs.oip.datatypes import (
    datatype,
    pack,
    pack_elements,
    unpack_elements,
)
from service.api.codecs.oip.infer_request import read_request
from service.api.codecs.oip.infer_response import write_response
from service.api.json import json_arrays
from service.api.validation.problems import InvalidValueError
from service.app import create_app
from service.errors import InvalidRequestError
from service.repository.contract import NUMPY_TYPES, Contract, Field, Signature
from service.settings.settings import Settings
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.dtypes import DTYPES, save_every_dtype

HEADER = "Inference-Header-Content-Length"
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def contract_of(dtype: str, *, nullable: bool = False) -> Contract:
    tensor = Field(name="t", dtype=dtype, shape=(None, None), nullable=nullable)
    return {"serving_default": Signature("serving_default", (tensor,), (tensor,))}


def tensors(dtype: str) -> st.SearchStrategy[Any]:
    shapes = arrays.array_shapes(min_dims=2, max_dims=2, max_side=4)
    if dtype == "string":
        return arrays.arrays(np.object_, shapes, elements=st.binary(max_size=9))
    finite = {"allow_nan": False, "allow_infinity": False} if "float" in dtype else {}
    kind = np.dtype(NUMPY_TYPES[dtype])
    drawn = arrays.arrays(kind, shapes, elements=arrays.from_dtype(kind, **finite))
    if dtype != "bfloat16":
        return drawn
    # Those that it has: the upper halves, of which none is infinite.
    return drawn.map(lambda t: (t.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32))


@pytest.mark.parametrize("dtype", NUMPY_TYPES)
@QUICK
@given(data=st.data())
def test_every_datatype_comes_back_as_it_went(dtype: str, data: st.DataObject) -> None:
    tensor = data.draw(tensors(dtype))
    contract = contract_of(dtype)
    (field,) = contract["serving_default"].inputs
    tail = pack(tensor, datatype(field))
    assert len(tail) == tensor.size * 2 or dtype != "bfloat16"
    document = {
        "inputs": [
            {
                "name": "t",
                "shape": list(tensor.shape),
                "datatype": datatype(field),
                "parameters": {"binary_data_size": len(tail)},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    request = read_request(document, tail, contract, None, limit=3)
    got = request.inputs["t"]
    assert (got.dtype, got.shape) == (tensor.dtype, tensor.shape)
    assert got.tolist() == tensor.tolist()
    answer = write_response(request, request.inputs, contract, model="m", version=1)
    assert answer.body.endswith(tail)
    length = int(answer.headers[HEADER])
    assert answer.body[length:] == tail
    (output,) = json.loads(answer.body[:length])["outputs"]
    assert output["shape"] == list(tensor.shape)


@pytest.mark.parametrize("dtype", [name for name in NUMPY_TYPES if name != "string"])
@QUICK
@given(data=st.data())
def test_json_and_bytes_mean_the_same(dtype: str, data: st.DataObject) -> None:
    tensor = data.draw(tensors(dtype))
    contract = contract_of(dtype)
    (field,) = contract["serving_default"].inputs
    item = {"name": "t", "shape": list(tensor.shape), "datatype": datatype(field)}
    for values in (tensor.tolist(), tensor.reshape(-1).tolist()):
        body = orjson.dumps({"inputs": [item | {"data": values}]})
        request = read_request(json_arrays.loads(body), b"", contract, None, limit=3)
        got = request.inputs["t"]
        assert (got.dtype, got.shape) == (tensor.dtype, tensor.shape)
        np.testing.assert_array_equal(got, tensor)
        answered = json.loads(
            write_response(request, request.inputs, contract, model="m", version=1).body
        )
        (output,) = answered["outputs"]
        again = np.array(output["data"], tensor.dtype).reshape(output["shape"])
        np.testing.assert_array_equal(again, tensor)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("wrong", [None, "text", True, [1], 1e39, {}])
def test_long_arrays_are_refused_like_short_ones(nested: bool, wrong: Any) -> None:
    """Those that are lifted out of the JSON come back for the message."""
    contract = contract_of("float32")
    for width in (3, 300):
        values: list[Any] = [float(i) for i in range(width)]
        rows = [values, [*values[:-1], wrong]]
        flat = [value for row in rows for value in row]
        item = {
            "name": "t",
            "shape": [2, width],
            "datatype": "FP32",
            "data": rows if nested else flat,
        }
        body = orjson.dumps({"inputs": [item]})
        with pytest.raises(InvalidRequestError) as caught:
            read_request(json_arrays.loads(body), b"", contract, None, limit=3)
        place = f"inputs[0].data[1][{width - 1}]" if nested else f"inputs[0].data[{2 * width - 1}]"
        assert list(caught.value.details or ()) == [place]
        assert "NumberArray" not in caught.value.message


def test_a_shape_or_a_parameter_that_was_lifted_is_read_as_it_was() -> None:
    long = list(range(300))
    for item in ({"shape": long}, {"shape": [1, 1], "parameters": {"a": long}}):
        document = {"inputs": [{"name": "t", "datatype": "FP32", "data": [1]} | item]}
        with pytest.raises(InvalidRequestError, match=r"shape|parameters"):
            read_request(
                json_arrays.loads(orjson.dumps(document)),
                b"",
                contract_of("float32"),
                None,
                limit=3,
            )


def test_null_comes_as_nan_where_it_may() -> None:
    tail = np.array([np.nan, 1], "<f4").tobytes()
    item = {
        "name": "t",
        "shape": [1, 2],
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(tail)},
    }
    got = read_request(
        {"inputs": [item]}, tail, contract_of("float32", nullable=True), None, limit=3
    )
    assert math.isnan(got.inputs["t"][0, 0])
    with pytest.raises(InvalidRequestError, match="not nan"):
        read_request({"inputs": [item]}, tail, contract_of("float32"), None, limit=3)


@given(st.lists(st.binary(max_size=20)))
def test_elements_come_back_as_they_went(elements: list[bytes]) -> None:
    assert unpack_elements(pack_elements(elements), len(elements)) == elements


@given(st.binary(max_size=40), st.integers(min_value=0, max_value=5))
def test_any_bytes_are_elements_or_are_refused(data: bytes, count: int) -> None:
    try:
        elements = unpack_elements(data, count)
    except InvalidValueError:
        return
    assert pack_elements(elements) == data


@pytest.fixture(scope="module")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    save_every_dtype(root / "every_dtype" / "1")
    app = create_app(Settings(models=root, quiet_s=0.0, workers=1))
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    assert lifecycle.wait_until_settled(60)
    yield app.test_client()
    lifecycle.stop()


def whole_request() -> tuple[dict[str, Any], bytes]:
    """Return a right request for every dtype, and the bytes after its JSON."""
    inputs, parts = [], []
    for name in DTYPES:
        values = [[b"a", b"bc"]] if name == "string" else [[0, 1]]
        parts.append(pack(np.array(values, NUMPY_TYPES[name])))
        inputs.append(
            {
                "name": name,
                "shape": [1, 2],
                "datatype": datatype(Field(name=name, dtype=name, shape=(None, 2))),
                "parameters": {"binary_data_size": len(parts[-1])},
            }
        )
    return {"inputs": inputs, "parameters": {"binary_data_output": True}}, b"".join(parts)


HEAD, TAIL = whole_request()
NUMBERS = st.sampled_from([-1, 0, 1, 2, 2**31, 2**32, 2**62, 2**63, 2**64 - 1, 0.5, True, None, ""])


def mutations() -> st.SearchStrategy[Any]:
    """Return what may be done to a right request: to its JSON, its bytes, its header."""
    index = st.integers(min_value=0, max_value=len(DTYPES) - 1)
    sizes = st.tuples(st.just("size"), index, NUMBERS)
    shapes = st.tuples(st.just("shape"), index, st.lists(NUMBERS, max_size=4))
    names = st.tuples(st.just("name"), index, st.sampled_from([*DTYPES, "x", "", None]))
    kinds = st.tuples(st.just("datatype"), index, st.sampled_from(["FP32", "BYTES", "BOOL", "X"]))
    tails = st.tuples(st.just("tail"), st.integers(0, len(TAIL)), st.binary(max_size=8))
    lengths = st.tuples(st.just("header"), st.integers(-3, 5000), st.none())
    return st.lists(st.one_of(sizes, shapes, names, kinds, tails, lengths), min_size=1, max_size=3)


def mutated(changes: list[Any]) -> tuple[bytes, dict[str, str]]:
    document, tail, length = json.loads(json.dumps(HEAD)), TAIL, None
    for what, where, value in changes:
        if what == "tail":
            tail = tail[:where] + value + tail[where + len(value) // 2 :]
        elif what == "header":
            length = where
        elif what == "size":
            document["inputs"][where]["parameters"]["binary_data_size"] = value
        else:
            document["inputs"][where][what] = value
    head = json.dumps(document).encode()
    return head + tail, {HEADER: str(len(head) if length is None else length)}


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mutations())
def test_whatever_is_done_to_a_request_it_is_answered_or_refused(
    v2: FlaskClient, changes: list[Any]
) -> None:
    body, headers = mutated(changes)
    response = v2.post("/v2/models/every_dtype/infer", data=body, headers=headers)
    assert response.status_code in (200, 400), (changes, response.data[:500])
    if response.status_code == 400:
        assert response.json["code"] == "INVALID_ARGUMENT"


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.recursive(
        st.one_of(
            NUMBERS,
            st.sampled_from(["x", "text", "quiet", "FP32", "BYTES", "y", "shift"]),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        *("id", "parameters", "inputs", "outputs", "name", "shape", "datatype"),
                        *("data", "binary_data_size", "classification", "binary_data", "b64"),
                    ]
                ),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=25,
    )
)
def test_whatever_json_is_sent_it_is_answered_or_refused(v2: FlaskClient, body: Any) -> None:
    response = v2.post("/v2/models/affine/infer", data=json.dumps(body))
    assert response.status_code in (200, 400), response.data[:500]


def test_the_request_that_is_mutated_is_right(v2: FlaskClient) -> None:
    body, headers = mutated([])
    response = v2.post("/v2/models/every_dtype/infer", data=body, headers=headers)
    assert response.status_code == 200
    length = int(response.headers[HEADER])
    assert sorted(response.data[length:]) == sorted(TAIL)
