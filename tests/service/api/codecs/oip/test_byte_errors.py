"""Bytes that are not what a request of the Open Inference Protocol says they are."""

import json
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.service.api.error_bodies import assert_error, assert_invalid
from tests.service.api.oip import (
    HEADER,
    RANGE,
    SHIFT,
    TEXT,
    X,
    by_signature,
    with_bytes,
)

FOUR = np.array([1], "<f4").tobytes()
QUIET = b"\5\0\0\0quiet"
SIZE = "inputs[0].parameters.binary_data_size"

# Each: the request, the bytes after it, and its messages by path.
BAD_BYTES: list[tuple[Any, bytes, dict[str, str]]] = [
    ({"inputs": [with_bytes(X, -1), TEXT]}, b"", {SIZE: "Expected a number of bytes, not -1."}),
    ({"inputs": [with_bytes(X, 8.0), TEXT]}, b"", {SIZE: "Expected a number of bytes, not 8.0."}),
    ({"inputs": [with_bytes(X, True), TEXT]}, b"", {SIZE: "Expected a number of bytes, not true."}),
    ({"inputs": [with_bytes(X, "8"), TEXT]}, b"", {SIZE: "Expected a number of bytes, not '8'."}),
    (
        {"inputs": [with_bytes(X, 8), TEXT]},
        b"",
        {SIZE: "Expected at most the 0 bytes left, not 8."},
    ),
    (
        {"inputs": [with_bytes(X, 2**63), TEXT]},
        FOUR * 2,
        {SIZE: f"Expected at most the 8 bytes left, not {2**63}."},
    ),
    (
        {"inputs": [with_bytes(X, 8), with_bytes(TEXT, 9)]},
        FOUR * 2,
        {"inputs[1].parameters.binary_data_size": ("Expected at most the 0 bytes left, not 9.")},
    ),
    (
        {"inputs": [with_bytes(X, 8), TEXT]},
        FOUR * 3,
        {"body": "The body has 4 bytes more than its inputs."},
    ),
    (
        {"inputs": [with_bytes(X, 8), TEXT]},
        FOUR * 2 + b"x",
        {"body": "The body has 1 byte more than its inputs."},
    ),
    (
        {"inputs": [with_bytes(X, 4), TEXT]},
        FOUR,
        {SIZE: "Expected 8 bytes, for FP32 of shape [1, 2], not 4."},
    ),
    (
        {"inputs": [with_bytes(X | {"shape": [2**62, 2]}, 8), TEXT]},
        FOUR * 2,
        {SIZE: f"Expected {2**65} bytes, for FP32 of shape [4611686018427387904, 2], not 8."},
    ),
    (
        {"inputs": [with_bytes(X, 8), TEXT]},
        np.array([1, np.nan], "<f4").tobytes(),
        {"inputs[0].data[1]": f"{RANGE}, not nan."},
    ),
    (
        {"inputs": [with_bytes(X | {"shape": [2, 2]}, 16), TEXT]},
        np.array([-101, 100, np.inf, -np.inf], "<f4").tobytes(),
        {
            "inputs[0].data[0]": f"{RANGE}, not -101.0.",
            "inputs[0].data[2]": f"{RANGE}, not inf.",
            "inputs[0].data[3]": f"{RANGE}, not -inf.",
        },
    ),
    (
        {"inputs": [X, TEXT, with_bytes(SHIFT, 4)]},
        np.array([np.inf], "<f4").tobytes(),
        {"inputs[2].data[0]": "Expected a number within float32 or null, not inf."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT, 9)]},
        b"\5\0\0\0shout",
        {"inputs[1].data[0]": "Expected one of 'quiet', 'loud', not b'shout'."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT, 3)]},
        b"\5\0\0",
        {"inputs[1].data": "Expected the 4 bytes of the length of element 0, not 3."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT, 8)]},
        b"\5\0\0\0quie",
        {"inputs[1].data": "Expected the 5 bytes of element 0, not 4."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT, 8)]},
        b"\xff\xff\xff\xffquie",
        {"inputs[1].data": "Expected the 4294967295 bytes of element 0, not 4."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT, 18)]},
        QUIET * 2,
        {"inputs[1].data": "Expected 1 element, as the shape says; there are more."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT | {"shape": [2]}, 9)]},
        QUIET,
        {"inputs[1].data": "Expected 2 elements, as the shape says, not 1."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT | {"shape": [2**40]}, 9)]},
        QUIET,
        {"inputs[1].data": f"Expected {2**40} elements, as the shape says, not 1."},
    ),
    (
        {"inputs": [X, with_bytes(TEXT, 0)]},
        b"",
        {"inputs[1].data": "Expected 1 element, as the shape says, not 0."},
    ),
]


@pytest.mark.parametrize(("body", "tail", "details"), BAD_BYTES)
def test_bytes_that_are_not_the_inputs(
    v2: FlaskClient, body: Any, tail: bytes, details: dict[str, str]
) -> None:
    head = json.dumps(body).encode()
    response = v2.post(
        "/v2/models/affine/infer", data=head + tail, headers={HEADER: str(len(head))}
    )
    assert_invalid(response, details)


def test_a_boolean_is_a_byte_of_0_or_1(v2: FlaskClient) -> None:
    inputs = [
        {"name": "count", "shape": [], "datatype": "INT32", "data": [3]},
        {"name": "twice", "shape": [], "datatype": "BOOL", "parameters": {"binary_data_size": 1}},
    ]
    head = json.dumps(by_signature("scalar", *inputs)).encode()
    headers = {HEADER: str(len(head))}
    response = v2.post("/v2/models/shapes/infer", data=head + b"\2", headers=headers)
    assert_invalid(response, {"inputs[1].data[0]": "Expected a byte of 0 or 1, not 2."})


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("-1", f"{HEADER}: expected a number of bytes, not '-1'."),
        ("1.0", f"{HEADER}: expected a number of bytes, not '1.0'."),
        ("", f"{HEADER}: expected a number of bytes, not ''."),
        ("many", f"{HEADER}: expected a number of bytes, not 'many'."),
        ("9" * 19, f"{HEADER}: expected a number of bytes, not '{'9' * 19}'."),
        ("9" * 18, f"{HEADER}: expected at most 2 bytes, the whole body, not {'9' * 18}."),
        ("3", f"{HEADER}: expected at most 2 bytes, the whole body, not 3."),
        ("1", "JSON Parse error: "),
    ],
)
def test_a_header_that_is_no_length(v2: FlaskClient, told: str, sentence: str) -> None:
    response = v2.post("/v2/models/affine/infer", data=b"{}", headers={HEADER: told})
    assert_error(response, 400, "INVALID_ARGUMENT")
    assert response.json["error"].startswith(sentence)


@pytest.mark.parametrize(
    ("model", "signature", "data", "sentence"),
    [
        (
            "affine",
            "serving_default",
            b"1234",
            "A raw body is for a signature with one input; 'serving_default' takes x, text, shift.",
        ),
        (
            "affine",
            "only_y",
            b"",
            "body: Expected a multiple of 8 bytes, for FP32 of shape [N, 2], not 0.",
        ),
        (
            "affine",
            "only_y",
            b"1234567",
            "body: Expected a multiple of 8 bytes, for FP32 of shape [N, 2], not 7.",
        ),
        (
            "affine",
            "only_y",
            np.array([1, np.nan], "<f4").tobytes(),
            "body[1]: Expected a number within float32, not nan.",
        ),
        (
            "affine",
            "nope",
            b"12345678",
            "Serving signature name: 'nope' not found in signature def; there are: only_y, serving_default.",
        ),
        (
            "shapes",
            "decode",
            b"no PNG",
            "body[0]: The model refused the input: ",
        ),
    ],
)
def test_raw_bodies_that_are_not_the_input(
    v2: FlaskClient, model: str, signature: str, data: bytes, sentence: str
) -> None:
    response = v2.post(
        f"/v2/models/{model}/infer?signature_name={signature}", data=data, headers={HEADER: "0"}
    )
    assert_error(response, 400, "INVALID_ARGUMENT")
    assert response.json["error"].startswith(sentence)
