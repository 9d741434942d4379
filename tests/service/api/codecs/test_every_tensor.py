"""Tensors of every dtype and rank, through every wire format and back, value by value."""

import base64
import json
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from flask.testing import FlaskClient

from tests.savedmodels.graphs import PREDICT, Signature, save_graph, v1
from tests.service.conftest import served

MODEL, V2 = "/v1/models/same:predict", "/v2/models/same/infer"
HEADER = "Inference-Header-Content-Length"

# Of each dtype: the name in v2, its elements as bytes there, and values that are hard to keep.
INTEGERS = {
    f"{kind}{bits}": (f"{kind.upper()}{bits}", f"<{'u' if kind == 'uint' else 'i'}{bits // 8}")
    for kind in ("int", "uint")
    for bits in (8, 16, 32, 64)
}
FLOATS = {"float16": ("FP16", "<f2"), "float32": ("FP32", "<f4"), "float64": ("FP64", "<f8")}
NAMES = {
    **INTEGERS,
    **FLOATS,
    "bfloat16": ("BF16", ""),
    "bool": ("BOOL", "?"),
    "string": ("BYTES", ""),
}
TEXTS = [b"a\0", b"\0", b"", b"\0\0b\0\0", "é\0".encode(), b"\xff\0"]
RANKS = (0, 1, 2, 3)
CASES = [(dtype, rank) for dtype in NAMES for rank in RANKS]


def values(dtype: str) -> list[Any]:
    if dtype == "string":
        return TEXTS
    if dtype == "bool":
        return [True, False, True, True, False, False]
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        return [limits.max, limits.min, 0, 1, limits.max - 1, limits.min + 1]
    if dtype == "bfloat16":
        return [1.5, -0.0, 2.0**127, -3.3895313892515355e38, 9.183549615799121e-41, 3.140625]
    limits = np.finfo(dtype)
    subnormal = limits.smallest_subnormal
    return [1.5, -0.0, float(limits.max), float(limits.min), float(subnormal), float(limits.eps)]


def nested(dtype: str, rank: int) -> Any:
    """Return values in lists of that depth: one, 6, 2 x 3, or 1 x 2 x 3 of them."""
    flat = values(dtype)
    if rank == 0:
        return flat[0]
    if rank == 1:
        return flat
    rows = [flat[:3], flat[3:]]
    return rows if rank == 2 else [rows]


SHAPES: dict[int, list[int]] = {0: [], 1: [6], 2: [2, 3], 3: [1, 2, 3]}


def same() -> dict[str, Signature]:
    signatures = {}
    for dtype, rank in CASES:
        shape = [None] * rank
        x = v1.placeholder(tf.as_dtype(dtype), shape)
        signatures[f"{dtype}_{rank}"] = ({"x": x}, {"y": tf.identity(x)}, PREDICT)
        # The service answers these from what it was asked.
        signatures[f"{dtype}_{rank}_alias"] = ({"x": x}, {"y": x}, PREDICT)
    return signatures


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    save_graph(root / "same" / "1", same)
    with served(root, "loop") as client:
        yield client


def as_json(value: Any) -> Any:
    """Return the value as a request has it: bytes as base64, whatever they are."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def from_json(value: Any) -> Any:
    match value:
        case list():
            return [from_json(item) for item in value]
        case {"b64": text}:
            return base64.b64decode(text)
        case str():
            return value.encode()
        case _:
            return value


def exactly(dtype: str, value: Any) -> Any:
    """Return numbers so that equal means equal: with their signs and their kinds."""
    if isinstance(value, list):
        return [exactly(dtype, item) for item in value]
    if isinstance(value, bool | bytes | int):
        return type(value), value
    # Answers have the shortest digits of their own width.
    width = np.float32 if dtype == "bfloat16" else np.dtype(dtype).type
    return float, width(value).tobytes()


def pack(dtype: str, flat: list[Any]) -> bytes:
    if dtype == "string":
        return b"".join(struct.pack("<I", len(item)) + item for item in flat)
    if dtype == "bfloat16":
        return b"".join(struct.pack("<f", item)[2:] for item in flat)
    return np.array(flat, NAMES[dtype][1]).tobytes()


def unpack(dtype: str, data: bytes) -> list[Any]:
    if dtype == "string":
        found = []
        while data:
            (length,) = struct.unpack_from("<I", data)
            found.append(data[4 : 4 + length])
            data = data[4 + length :]
        return found
    if dtype == "bfloat16":
        halves = (data[i : i + 2] for i in range(0, len(data), 2))
        return [struct.unpack("<f", b"\0\0" + half)[0] for half in halves]
    return np.frombuffer(data, NAMES[dtype][1]).tolist()


def flat_of(dtype: str, rank: int) -> list[Any]:
    return values(dtype)[:1] if rank == 0 else values(dtype)


@pytest.mark.parametrize("alias", ["", "_alias"])
@pytest.mark.parametrize(("dtype", "rank"), CASES)
def test_v1(client: FlaskClient, dtype: str, rank: int, alias: str) -> None:
    value = nested(dtype, rank)
    name = f"{dtype}_{rank}{alias}"
    asked = {"inputs": as_json(value)}, {"inputs": {"x": as_json(value)}}
    for body in asked:
        response = client.post(MODEL, json={"signature_name": name, **body})
        assert response.status_code == 200, response.json
        got = from_json(json.loads(response.data)["outputs"])
        assert exactly(dtype, got) == exactly(dtype, value)
    if rank == 0:
        body = {"signature_name": name, "instances": [as_json(value)]}
        assert client.post(MODEL, json=body).status_code == 400
        return
    asked = {"instances": as_json(value)}, {"instances": [{"x": as_json(v)} for v in value]}
    for body in asked:
        response = client.post(MODEL, json={"signature_name": name, **body})
        assert response.status_code == 200, response.json
        got = from_json(json.loads(response.data)["predictions"])
        assert exactly(dtype, got) == exactly(dtype, value)


@pytest.mark.parametrize("alias", ["", "_alias"])
@pytest.mark.parametrize("way_out", ["json", "binary"])
@pytest.mark.parametrize(
    ("dtype", "rank", "way_in"),
    [
        (dtype, rank, way_in)
        for dtype, rank in CASES
        for way_in in ("flat", "nested", "binary", "raw")
        # Of a raw body, the shape must follow from the bytes.
        if way_in != "raw" or rank == 0 or (rank == 1 and dtype != "string")
    ],
)
def test_v2(
    client: FlaskClient, dtype: str, rank: int, way_in: str, way_out: str, alias: str
) -> None:
    flat = flat_of(dtype, rank)
    shape, name = SHAPES[rank], f"{dtype}_{rank}{alias}"
    url, headers = f"{V2}?signature_name={name}", {}
    item: dict[str, Any] = {"name": "x", "datatype": NAMES[dtype][0], "shape": shape}
    tail = b""
    if way_in == "raw":
        # A raw body is the element itself.
        body = flat[0] if dtype == "string" else pack(dtype, flat)
        headers = {HEADER: "0"}
        way_out = "binary"
    else:
        if way_in == "binary":
            tail = pack(dtype, flat)
            item["parameters"] = {"binary_data_size": len(tail)}
        else:
            item["data"] = as_json(nested(dtype, rank) if way_in == "nested" and rank else flat)
        document = {"inputs": [item], "parameters": {"binary_data_output": way_out == "binary"}}
        head = json.dumps(document).encode()
        headers = {HEADER: str(len(head))} if tail else {}
        body = head + tail
    response = client.post(url, data=body, headers=headers)
    assert response.status_code == 200, response.json
    length = int(response.headers[HEADER]) if way_out == "binary" else None
    (output,) = json.loads(response.data[:length])["outputs"]
    assert (output["shape"], output["datatype"]) == (shape, NAMES[dtype][0])
    if length is None:
        got = from_json(output["data"])
    else:
        assert output["parameters"]["binary_data_size"] == len(response.data) - length
        got = unpack(dtype, response.data[length:])
    assert exactly(dtype, got) == exactly(dtype, flat)


@pytest.mark.parametrize("text", ["-0.0", "1e2", "1E+2", "0.1e1", "-1.5e-3", "100000e-5"])
@pytest.mark.parametrize("count", [1, 300])
def test_floats_are_read_as_they_are_written(client: FlaskClient, text: str, count: int) -> None:
    """Both readers do: the one of few numbers, and the one of many."""
    body = f'{{"signature_name": "float64_1", "instances": [{", ".join([text] * count)}]}}'
    got = json.loads(client.post(MODEL, data=body).data)["predictions"]
    assert exactly("float64", got) == exactly("float64", [float(text)] * count)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("bfloat16", 3.4e38),
        ("bfloat16", -1e39),
        ("float16", 65520.0),
        ("float32", 3.5e38),
        ("int64", 2**63),
        ("int64", -(2**63) - 1),
        ("uint64", 2**64),
        ("uint64", -1),
        ("int64", 1.0),
        ("int8", 128),
    ],
)
@pytest.mark.parametrize("count", [1, 300])
def test_what_a_dtype_does_not_hold_is_refused(
    client: FlaskClient, dtype: str, value: float, count: int
) -> None:
    body = {"signature_name": f"{dtype}_1", "instances": [value] * count}
    response = client.post(MODEL, json=body)
    assert response.status_code == 400
    assert response.json["error"].startswith("instances[0]: Expected a")


def test_bfloat16_is_rounded_to_the_nearest_and_ties_to_even(client: FlaskClient) -> None:
    # Between 1 and the next one, 1 + 2^-7; a tie goes to the even one.
    step = 2.0**-7
    asked = [1 + step / 2, 1 + step * 1.5, 1 + step * 0.51, 1 + step * 0.49, 0.1]
    want = [1.0, 1 + 2 * step, 1 + step, 1.0, 0.10009765625]
    for count in (1, 100):
        body = {"signature_name": "bfloat16_1", "inputs": asked * count}
        got = json.loads(client.post(MODEL, json=body).data)["outputs"]
        assert np.array_equal(np.array(got, np.float32), np.array(want * count, np.float32))


def test_npy_holds_bfloat16s_as_floats(client: FlaskClient) -> None:
    file = BytesIO()
    np.save(file, np.array([1.5, 2.0**-130], np.float64))
    response = client.post(
        f"{MODEL}?signature_name=bfloat16_1",
        data=file.getvalue(),
        content_type="application/x-npy",
    )
    assert json.loads(response.data)["predictions"] == [1.5, pytest.approx(2.0**-130)]
