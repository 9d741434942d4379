"""What is no request of the Open Inference Protocol, and how it is explained."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.api.error_bodies import assert_error, assert_invalid
from tests.service.api.oip import RANGE, SHIFT, TEXT, X, without

SHAPE = "a list of whole numbers of at least 0"
PARAMETERS = "an object of strings, numbers, true and false"

# Each: the request, and its messages by path.
BAD: list[tuple[Any, dict[str, str]]] = [
    # The envelope.
    ([], {"body": "Expected an object, not a list of 0 values."}),
    (None, {"body": "Expected an object, not null."}),
    ({}, {"inputs": "Missing; expected a list of inputs."}),
    ({"inputs": None}, {"inputs": "Expected a list of inputs, not null."}),
    ({"inputs": {}}, {"inputs": "Expected a list of inputs, not an object."}),
    ({"inputs": "x"}, {"inputs": "Expected a list of inputs, not 'x'."}),
    ({"inputs": [1]}, {"inputs[0]": "Expected an object, not 1."}),
    ({"inputs": [None]}, {"inputs[0]": "Expected an object, not null."}),
    ({"inputs": [X, []]}, {"inputs[1]": "Expected an object, not a list of 0 values."}),
    ({"inputs": [X, TEXT], "output": []}, {"output": "Unknown field."}),
    ({"inputs": [X, TEXT], "o" * 500: []}, {"o" * 100: "Unknown field."}),
    ({"inputs": [X, TEXT], "id": 42}, {"id": "Expected a string, not 42."}),
    ({"inputs": [X, TEXT], "id": []}, {"id": "Expected a string, not a list of 0 values."}),
    (
        {"inputs": [X, TEXT], "parameters": []},
        {"parameters": f"Expected {PARAMETERS}, not a list of 0 values."},
    ),
    (
        {"inputs": [X, TEXT], "parameters": {"a": {}}},
        {"parameters": f"Expected {PARAMETERS}, not an object for 'a'."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": {}},
        {"outputs": "Expected a list of outputs, not an object."},
    ),
    ({"inputs": [X, TEXT], "outputs": ["y"]}, {"outputs[0]": "Expected an object, not 'y'."}),
    (
        {"inputs": [X, TEXT], "outputs": [{}]},
        {"outputs[0].name": "Missing; expected the name of an output, a string."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": 1}]},
        {"outputs[0].name": "Expected the name of an output, a string, not 1."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "y", "shape": [1]}]},
        {"outputs[0].shape": "Unknown field."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "y", "parameters": 1}]},
        {"outputs[0].parameters": f"Expected {PARAMETERS}, not 1."},
    ),
    ({"inputs": [X | {"dtype": "FP32"}, TEXT]}, {"inputs[0].dtype": "Unknown field."}),
    (
        {"inputs": [without(X, "name"), TEXT]},
        {"inputs[0].name": "Missing; expected the name of an input, a string."},
    ),
    (
        {"inputs": [X | {"name": None}, TEXT]},
        {"inputs[0].name": "Expected the name of an input, a string, not null."},
    ),
    (
        {"inputs": [without(X, "shape"), TEXT]},
        {"inputs[0].shape": f"Missing; expected {SHAPE}."},
    ),
    ({"inputs": [X | {"shape": 2}, TEXT]}, {"inputs[0].shape": f"Expected {SHAPE}, not 2."}),
    (
        {"inputs": [X | {"shape": [1, -2]}, TEXT]},
        {"inputs[0].shape": f"Expected {SHAPE}, not [1, -2]."},
    ),
    (
        {"inputs": [X | {"shape": [1, 2.0]}, TEXT]},
        {"inputs[0].shape": f"Expected {SHAPE}, not [1, 2.0]."},
    ),
    (
        {"inputs": [X | {"shape": [True, 2]}, TEXT]},
        {"inputs[0].shape": f"Expected {SHAPE}, not [true, 2]."},
    ),
    (
        {"inputs": [X | {"shape": ["1", 2]}, TEXT]},
        {"inputs[0].shape": f"Expected {SHAPE}, not ['1', 2]."},
    ),
    (
        {"inputs": [without(X, "datatype"), TEXT]},
        {"inputs[0].datatype": "Missing; expected a datatype, such as 'FP32'."},
    ),
    (
        {"inputs": [X | {"datatype": 32}, TEXT]},
        {"inputs[0].datatype": "Expected a datatype, such as 'FP32', not 32."},
    ),
    (
        {"inputs": [X | {"parameters": "none"}, TEXT]},
        {"inputs[0].parameters": f"Expected {PARAMETERS}, not 'none'."},
    ),
    (
        {"inputs": [X | {"parameters": {"a": [1]}}, TEXT]},
        {"inputs[0].parameters": f"Expected {PARAMETERS}, not a list of 1 value for 'a'."},
    ),
    (
        {"inputs": [{}], "id": 1},
        {
            "id": "Expected a string, not 1.",
            "inputs[0].name": "Missing; expected the name of an input, a string.",
            "inputs[0].shape": f"Missing; expected {SHAPE}.",
        },
    ),
    # Parameters of the request.
    (
        {"inputs": [X, TEXT], "parameters": {"binary_data_output": 1}},
        {"parameters.binary_data_output": "Expected true or false, not 1."},
    ),
    (
        {"inputs": [X, TEXT], "parameters": {"signature_name": 1}},
        {"parameters.signature_name": "Expected a string, not 1."},
    ),
    (
        {"inputs": [X, TEXT], "parameters": {"triton_enable_empty_final_response": True}},
        {
            "parameters.triton_enable_empty_final_response": (
                "Names that begin with 'triton_' are Triton's own."
            )
        },
    ),
    # Inputs.
    (
        {"inputs": [X]},
        {"inputs": "Missing input 'text'; expected one of 'quiet', 'loud'."},
    ),
    (
        {"inputs": [X, TEXT, X]},
        {"inputs[2].name": "'x' is inputs[0] already."},
    ),
    (
        {"inputs": [X, TEXT, X | {"name": "z"}]},
        {"inputs[2].name": "Unknown input 'z'; signature 'serving_default' takes x, text, shift."},
    ),
    (
        {"inputs": [X | {"datatype": "FP64"}, TEXT]},
        {"inputs[0].datatype": "Expected 'FP32', not 'FP64'."},
    ),
    (
        {"inputs": [X | {"datatype": "fp32"}, TEXT]},
        {"inputs[0].datatype": "Expected 'FP32', not 'fp32'."},
    ),
    (
        {"inputs": [X, TEXT | {"datatype": "STRING"}]},
        {"inputs[1].datatype": "Expected 'BYTES', not 'STRING'."},
    ),
    (
        {"inputs": [X | {"datatype": "BF16"}, TEXT]},
        {"inputs[0].datatype": "Expected 'FP32', not 'BF16'."},
    ),
    # Shapes.
    (
        {"inputs": [X | {"shape": [2]}, TEXT]},
        {"inputs[0].shape": "Expected [N, 2], N at least 1, not [2]."},
    ),
    (
        {"inputs": [X | {"shape": [1, 1, 2]}, TEXT]},
        {"inputs[0].shape": "Expected [N, 2], N at least 1, not [1, 1, 2]."},
    ),
    (
        {"inputs": [X | {"shape": []}, TEXT]},
        {"inputs[0].shape": "Expected [N, 2], N at least 1, not []."},
    ),
    (
        {"inputs": [X | {"shape": [2, 1]}, TEXT]},
        {"inputs[0].shape": "Expected [N, 2], N at least 1, not [2, 1]."},
    ),
    (
        {"inputs": [X | {"shape": [0, 2], "data": []}, TEXT]},
        {"inputs[0].shape": "Expected [N, 2], N at least 1, not [0, 2]."},
    ),
    (
        {"inputs": [X | {"shape": [1] * 40}, TEXT]},
        {"inputs[0].shape": "Expected at most 32 dimensions, not 40."},
    ),
    (
        {"inputs": [X | {"shape": [2**63, 2]}, TEXT]},
        {"inputs[0].data": "Expected 18446744073709551616 values, as the shape says, not 2."},
    ),
    (
        {"inputs": [X, TEXT | {"shape": [2], "data": ["quiet", "loud"]}]},
        {"inputs[1].shape": "Expected 1 row, as many as 'x' has, not 2."},
    ),
    # JSON data.
    (
        {"inputs": [without(X, "data"), TEXT]},
        {"inputs[0]": "Expected 'data' or the parameter 'binary_data_size', not neither."},
    ),
    (
        {"inputs": [X | {"data": None}, TEXT]},
        {"inputs[0]": "Expected 'data' or the parameter 'binary_data_size', not neither."},
    ),
    (
        {"inputs": [X | {"parameters": {"binary_data_size": 8}}, TEXT]},
        {"inputs[0]": "Expected 'data' or the parameter 'binary_data_size', not both."},
    ),
    (
        {"inputs": [X | {"data": 1}, TEXT]},
        {"inputs[0].data": "Expected a list of values, not 1."},
    ),
    (
        {"inputs": [X | {"data": {"b64": "AAAA"}}, TEXT]},
        {"inputs[0].data": 'Expected a list of values, not {"b64": "AAAA"}.'},
    ),
    (
        {"inputs": [X | {"data": []}, TEXT]},
        {"inputs[0].data": "Expected 2 values, as the shape says, not 0."},
    ),
    (
        {"inputs": [X | {"data": [1, 2, 3]}, TEXT]},
        {"inputs[0].data": "Expected 2 values, as the shape says, not 3."},
    ),
    (
        {"inputs": [X, TEXT | {"data": []}]},
        {"inputs[1].data": "Expected 1 value, as the shape says, not 0."},
    ),
    (
        {"inputs": [X | {"data": [1, "2"]}, TEXT]},
        {"inputs[0].data[1]": f"{RANGE}, not '2'."},
    ),
    ({"inputs": [X | {"data": [1, True]}, TEXT]}, {"inputs[0].data[1]": f"{RANGE}, not true."}),
    ({"inputs": [X | {"data": [None, 1]}, TEXT]}, {"inputs[0].data[0]": f"{RANGE}, not null."}),
    ({"inputs": [X | {"data": [1, 101]}, TEXT]}, {"inputs[0].data[1]": f"{RANGE}, not 101."}),
    (
        {"inputs": [X | {"data": [1, [2]]}, TEXT]},
        {"inputs[0].data[1]": f"{RANGE}, not a list of 1 value."},
    ),
    (
        {"inputs": [X | {"data": [[1, 2], [1, 2]]}, TEXT]},
        {"inputs[0].data": "Expected lists of shape [1, 2], as 'shape' says, not [2, 2]."},
    ),
    (
        {"inputs": [X | {"data": [[1], [2]]}, TEXT]},
        {
            "inputs[0].data[0]": "Expected a list of 2 values, not a list of 1 value.",
            "inputs[0].data[1]": "Expected a list of 2 values, not a list of 1 value.",
        },
    ),
    (
        {"inputs": [X | {"data": [[1, 2], 3]}, TEXT]},
        {"inputs[0].data[1]": "Expected a list of 2 values, not 3."},
    ),
    (
        {"inputs": [X | {"data": [[1, 500]]}, TEXT]},
        {"inputs[0].data[0][1]": f"{RANGE}, not 500."},
    ),
    (
        {"inputs": [X, TEXT | {"data": ["shout"]}]},
        {"inputs[1].data[0]": "Expected one of 'quiet', 'loud', not 'shout'."},
    ),
    (
        {"inputs": [X, TEXT | {"data": [1]}]},
        {"inputs[1].data[0]": "Expected one of 'quiet', 'loud', not 1."},
    ),
    (
        {"inputs": [X, TEXT, SHIFT | {"data": ["0"]}]},
        {"inputs[2].data[0]": "Expected a number within float32 or null, not '0'."},
    ),
    (
        {"inputs": [X | {"data": [101, 102]}, TEXT | {"data": ["a"]}, SHIFT | {"data": [1e39]}]},
        {
            "inputs[0].data[0]": f"{RANGE}, not 101.",
            "inputs[0].data[1]": f"{RANGE}, not 102.",
            "inputs[1].data[0]": "Expected one of 'quiet', 'loud', not 'a'.",
        },
    ),
    # Outputs.
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "z"}]},
        {"outputs[0].name": "Unknown output 'z'; signature 'serving_default' gives y, loud."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "y"}, {"name": "y"}]},
        {"outputs[1].name": "'y' is asked for already."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "y", "parameters": {"binary_data": "yes"}}]},
        {"outputs[0].parameters.binary_data": "Expected true or false, not 'yes'."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "y", "parameters": {"classification": -1}}]},
        {"outputs[0].parameters.classification": "Expected a number of classes, not -1."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "y", "parameters": {"classification": 1.5}}]},
        {"outputs[0].parameters.classification": "Expected a number of classes, not 1.5."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "y", "parameters": {"classification": True}}]},
        {"outputs[0].parameters.classification": "Expected a number of classes, not true."},
    ),
    (
        {"inputs": [X, TEXT], "outputs": [{"name": "loud", "parameters": {"classification": 1}}]},
        {
            "outputs[0].parameters.classification": (
                "Classes have numbers as scores, and 'loud' is BYTES."
            )
        },
    ),
    # Shared memory.
    (
        {"inputs": [without(X, "data") | {"parameters": {"shared_memory_region": "a"}}, TEXT]},
        {
            "inputs[0].parameters.shared_memory_region": (
                "This service shares no memory with clients; expected data in the request."
            )
        },
    ),
    (
        {
            "inputs": [X, TEXT],
            "outputs": [{"name": "y", "parameters": {"shared_memory_region": "a"}}],
        },
        {
            "outputs[0].parameters.shared_memory_region": (
                "This service shares no memory with clients."
            )
        },
    ),
]


@pytest.mark.parametrize(("body", "details"), BAD)
def test_bad_requests_are_explained(v2: FlaskClient, body: Any, details: dict[str, str]) -> None:
    assert_invalid(v2.post("/v2/models/affine/infer", data=json.dumps(body)), details)


def test_a_model_without_a_default_signature_must_be_told_which(v2: FlaskClient) -> None:
    sentence = (
        "The model has no signature 'serving_default'; the parameter signature_name must say which "
        "is meant: any_shape, decode, grid, logarithm, scalar, two_of_any_shape, words."
    )
    for response in (
        v2.post("/v2/models/shapes/infer", json={"inputs": []}),
        v2.get("/v2/models/shapes"),
    ):
        assert_error(response, 400, "INVALID_ARGUMENT")
        assert response.json["error"] == sentence


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/nope", 404, "NOT_FOUND"),
        ("POST", "/v2", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v2/health/live", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v2/models/nope", 404, "NOT_FOUND"),
        ("GET", "/v2/models/nope/ready", 404, "NOT_FOUND"),
        ("POST", "/v2/models/nope/infer", 404, "NOT_FOUND"),
        ("GET", "/v2/models/affine/versions/9", 404, "NOT_FOUND"),
        ("GET", "/v2/models/affine/versions/9/ready", 404, "NOT_FOUND"),
        ("POST", "/v2/models/affine/versions/9/infer", 404, "NOT_FOUND"),
        ("GET", "/v2/models/affine/versions/one", 404, "NOT_FOUND"),
        ("GET", "/v2/models/affine/infer", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v2/models/affine/infer", 400, "INVALID_ARGUMENT"),
    ],
)
def test_every_failure_has_the_one_body(
    v2: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    assert_error(v2.open(path, method=method), status, code)


def test_other_content_types_and_packings(v2: FlaskClient) -> None:
    response = v2.post("/v2/models/affine/infer", data=b"{}", content_type="text/html")
    assert_error(response, 415, "UNSUPPORTED_MEDIA_TYPE")
    response = v2.post("/v2/models/affine/infer", data=b" " * 100_001)
    assert_error(response, 413, "PAYLOAD_TOO_LARGE")
