"""The models of TensorFlow Serving's own tests and documentation, with its answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.savedmodels.graphs import (
    HalfPlusTwo2,
    half_plus_three_without_shapes,
    half_plus_two,
    save_graph,
)
from tests.savedmodels.saving import save
from tests.service.conftest import served

TWO, TWO2 = "/v1/models/half_plus_two", "/v1/models/half_plus_two_2"
THREE = "/v1/models/half_plus_three"


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    save_graph(root / "half_plus_two" / "123", half_plus_two)
    save_graph(root / "half_plus_three" / "123", half_plus_three_without_shapes)
    model = HalfPlusTwo2()
    save(
        root / "half_plus_two_2" / "123",
        model,
        serving_default=model.predict,
        regress_x_to_y=model.regress_x_to_y,
        classify_x_to_y=model.classify_x_to_y,
        classify_texts=model.classify_texts,
    )
    with served(root, request.param) as client:
        yield client


def ask(client: FlaskClient, path: str, body: Any) -> Any:
    response = client.post(path, data=json.dumps(body))
    assert response.status_code == 200, response.json
    return response.json


@pytest.mark.parametrize("model", [TWO, TWO2])
@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": [2.0, 3.0, 4.0]}, {"predictions": [3.0, 3.5, 4.0]}),
        ({"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.5, 3.0, 4.5]}),
        ({"instances": [2]}, {"predictions": [3.0]}),
        ({"instances": [[2.0], [3.0]]}, {"predictions": [[3.0], [3.5]]}),
        ({"instances": [{"x": 2.0}, {"x": 3.0}]}, {"predictions": [3.0, 3.5]}),
        ({"instances": [{"x": [2.0]}, {"x": [3.0]}]}, {"predictions": [[3.0], [3.5]]}),
        ({"inputs": [2.0, 3.0]}, {"outputs": [3.0, 3.5]}),
        ({"inputs": {"x": [2.0, 3.0]}}, {"outputs": [3.0, 3.5]}),
        ({"inputs": {"x": [[2.0], [3.0]]}}, {"outputs": [[3.0], [3.5]]}),
        ({"instances": [float(i) for i in range(900)]}, {"predictions": [i / 2 + 2 for i in range(900)]}),
        ({"instances": [{"x": float(i)} for i in range(99)]}, {"predictions": [i / 2 + 2 for i in range(99)]}),
    ],
)  # fmt: skip
def test_a_scalar_is_an_instance_of_one_element(
    client: FlaskClient, model: str, body: Any, answer: Any
) -> None:
    assert ask(client, f"{model}:predict", body) == answer


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"instances": [2.0, [3.0]]}, "instances[1]: Expected a number within float32, not a list of 1 value."),
        ({"instances": [[2.0], 3.0]}, "instances[1]: Expected a list of 1 value, not 3.0."),
        ({"instances": [2.0, "3"]}, "instances[1]: Expected a number within float32, not '3'."),
        ({"instances": [2.0, True]}, "instances[1]: Expected a number within float32, not true."),
        ({"instances": [2.0, 1e39]}, "instances[1]: Expected a number within float32, not 1e+39."),
        ({"instances": [{"x": 2.0}, {"x": [3.0]}]}, "instances[1].x: Expected a number within float32, not a list of 1 value."),
        ({"inputs": [2.0, None]}, "inputs[1]: Expected a number within float32, not null."),
        ({"inputs": 2.0}, "inputs: Expected a list, not 2.0."),
        ({"instances": [[2.0, 3.0]]}, "instances[0]: Expected a list of 1 value, not a list of 2 values."),
    ],
)  # fmt: skip
def test_what_is_no_scalar_is_named(client: FlaskClient, body: Any, problem: str) -> None:
    response = client.post(f"{TWO}:predict", json=body)
    assert response.status_code == 400
    assert response.json["error"].startswith(problem)


def test_the_first_example_of_the_documentation(client: FlaskClient) -> None:
    """Its signature says nothing of shapes, which is not to say that they are scalars."""
    assert ask(client, f"{THREE}:predict", {"instances": [1.0, 2.0, 5.0]}) == {
        "predictions": [3.5, 4.0, 5.5]
    }
    assert ask(client, f"{THREE}:predict", {"instances": [[1.0, 2.0], [3.0, 4.0]]}) == {
        "predictions": [[3.5, 4.0], [4.5, 5.0]]
    }
    assert ask(client, f"{THREE}:predict", {"inputs": 1.0}) == {"outputs": 3.5}
    assert ask(client, f"{THREE}:predict", {"instances": [{"x": 1.0}, {"x": 2.0}]}) == {
        "predictions": [3.5, 4.0]
    }


@pytest.mark.parametrize("model", [TWO, TWO2])
@pytest.mark.parametrize("x", [2.0, [2.0]])
def test_examples_are_classified_and_regressed(client: FlaskClient, model: str, x: Any) -> None:
    """By TensorFlow 2 signatures have no method of their own; the graph parses messages."""
    examples = {"examples": [{"x": x}]}
    assert ask(client, f"{model}:classify", {"signature_name": "classify_x_to_y", **examples}) == {
        "results": [[["", 3.0]]]
    }
    assert ask(client, f"{model}:regress", {"signature_name": "regress_x_to_y", **examples}) == {
        "results": [3.0]
    }
    context = {
        "context": {"x": 4.0},
        "examples": [{}, {"x": x}],
        "signature_name": "regress_x_to_y",
    }
    assert ask(client, f"{model}:regress", context) == {"results": [4.0, 3.0]}


def test_other_signatures_of_the_model(client: FlaskClient) -> None:
    body = {"signature_name": "regress_x_to_y2", "examples": [{"x": 2.0}]}
    assert ask(client, f"{TWO}:regress", body) == {"results": [4.0]}
    body = {"signature_name": "regress_x2_to_y3", "examples": [{"inputs": 2.0}]}
    assert ask(client, f"{TWO}:regress", body) == {"results": [4.0]}
    body = {"signature_name": "classify_x2_to_y3", "examples": [{"inputs": 2.0}]}
    assert ask(client, f"{TWO}:classify", body) == {"results": [[["", 4.0]]]}


def test_strings_that_are_no_messages_are_inputs(client: FlaskClient) -> None:
    body = {"signature_name": "classify_texts", "examples": [{"inputs": "abc"}]}
    assert ask(client, f"{TWO2}:classify", body) == {"results": [[["", 3.0], ["", -3.0]]]}
    body = {"signature_name": "classify_texts", "examples": [{"x": 2.0}]}
    response = client.post(f"{TWO2}:classify", json=body)
    assert response.status_code == 400
    assert response.json["error"].startswith("examples[0].x: Unknown field")


def test_a_broken_message_is_the_clients_fault(client: FlaskClient) -> None:
    body = {"signature_name": "classify_x_to_y", "examples": [{"y": 1.0}, {"x": 2.0}]}
    response = client.post(f"{TWO2}:classify", json=body)
    assert response.status_code == 400
    assert response.json["error"].startswith("examples[0]: The model refused the input")


def test_the_metadata_is_tensorflows_own(client: FlaskClient) -> None:
    body = client.get(f"{TWO}/metadata").json
    definitions = body["metadata"]["signature_def"]["signature_def"]
    assert sorted(definitions) == [
        *("classify_x2_to_y3", "classify_x_to_y", "regress_x2_to_y3", "regress_x_to_y"),
        *("regress_x_to_y2", "serving_default"),
    ]
    assert definitions["serving_default"]["inputs"]["x"] == {
        "name": "x:0",
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
            "unknown_rank": False,
        },
    }
    assert definitions["classify_x_to_y"]["method_name"] == "tensorflow/serving/classify"


def test_v2_takes_what_has_no_shape_in_any(client: FlaskClient) -> None:
    for shape, data in (([3], [1.0, 2.0, 5.0]), ([], [1.0]), ([1, 2], [1.0, 2.0])):
        item = {"name": "x", "datatype": "FP32", "shape": shape, "data": data}
        answer = ask(client, "/v2/models/half_plus_three/infer", {"inputs": [item]})
        (output,) = answer["outputs"]
        assert (output["shape"], output["data"]) == (shape, [x / 2 + 3 for x in data])
