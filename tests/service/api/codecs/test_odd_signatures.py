"""Signatures that no exporter of today writes, and that others' SavedModels have all the same."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from flask.testing import FlaskClient

from tests.savedmodels.graphs import edit_meta_graph, save_graph
from tests.savedmodels.unusual_signatures import (
    add_bad_defaults,
    add_defaults,
    bad_signatures,
    odd_signatures,
    pin,
    weighted,
)
from tests.service.conftest import served

with tf.Graph().as_default():
    _, REASONS = bad_signatures()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    save_graph(root / "odd" / "1", odd_signatures)
    edit_meta_graph(root / "odd" / "1", add_defaults)
    save_graph(root / "bad" / "1", lambda: bad_signatures()[0])
    edit_meta_graph(root / "bad" / "1", add_bad_defaults)
    save_graph(root / "pinned" / "1", weighted)
    edit_meta_graph(root / "pinned" / "1", pin)
    with served(root, "loop") as client:
        yield client


def predict(client: FlaskClient, body: Any, model: str = "odd") -> Any:
    response = client.post(f"/v1/models/{model}:predict", data=json.dumps(body))
    return json.loads(response.data)


X = [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("signature", "inputs", "outputs"),
    [
        ("", X, [2.0, 3.0, 4.0]),
        ("serving_default", X, [2.0, 3.0, 4.0]),
        ("alias", X, X),
        ("alias_and_more", X, {"same": X, "y": [2.0, 3.0, 4.0]}),
        ("alias_of_text", ["a\0", {"b64": "/wA="}], ["a\0", {"b64": "/wA="}]),
        ("twin_inputs", {"a": X, "b": X}, [2.0, 3.0, 4.0]),
        ("twin_outputs", [1.0], {"a": [2.0], "b": [2.0], "c": [1.0], "d": [1.0]}),
        ("without_colon", X, [2.0, 3.0, 4.0]),
        ("on_gpu", [[1.0], [2.0]], [[3.0], [6.0]]),
        ("on_gpu", [1.0, 2.0], [3.0, 6.0]),
        ("function_on_gpu", X, [3.0, 5.0, 7.0]),
        ("reference", [1.0, 1.0], [7.0, 8.0]),
        ("default", {"x": X}, [10.0, 20.0, 30.0]),
        ("default", {"x": X, "scale": [2.0, 2.0, 2.0]}, [2.0, 4.0, 6.0]),
        ("default_of_three", {"x": X}, [1.0, 20.0, 300.0]),
        ("default_scalar", {"x": X}, [10.0, 20.0, 30.0]),
        ("default_scalar", {"x": X, "scale": 2.0}, [2.0, 4.0, 6.0]),
        ("default_anything", {"x": X}, [10.0, 20.0, 30.0]),
        ("default_anything", {"x": X, "scale": 2.0}, [2.0, 4.0, 6.0]),
        ("default_anything", {"x": X, "scale": [2.0, 1.0, 0.5]}, [2.0, 2.0, 1.5]),
        ("default_text", {"x": [1.0, 2.0]}, {"y": [2.0, 3.0], "said": ["none\0!", "none\0!"]}),
        ("defaults_alone", {}, [20.0]),
        ("no_inputs", {}, [8.0, 9.0]),
        ("columns", {"column": [1.0, 2.0], "x": [1.0, 2.0]}, {"x": [2.0, 3.0], "y": [2.0, 4.0]}),
        ("columns", {"column": [[1.0]], "x": [1.0]}, {"x": [2.0], "y": [[2.0]]}),
        ("two_columns", {"a": [1.0], "b": [2.0]}, [3.0]),
        ("two_columns", {"a": [1.0], "b": [[[2.0]]]}, [[3.0]]),
        ("deep", [1.0, 2.0], [2.0, 3.0]),
        ("deep", [[[1.0]]], [[[2.0]]]),
        ("texts", ["a", "b"], ["A", "B"]),
        ("texts", [["a"], ["b"]], [["A"], ["B"]]),
        ("texts", [{"b64": "YQ"}], ["A"]),
        ("b64", {"b64": ["a"]}, ["a!"]),
        ("instances", {"instances": X, "inputs": X}, [2.0, 3.0, 4.0]),
        ("sl/ash é", X, [2.0, 3.0, 4.0]),
        ("no_method", X, [2.0, 3.0, 4.0]),
        ("scalar", 1.5, 3.0),
        ("of_two", {"two": [1.0, 2.0], "pairs": [X, X]}, [2.0, 3.0]),
    ],
)  # fmt: skip
def test_it_serves(client: FlaskClient, signature: str, inputs: Any, outputs: Any) -> None:
    body = {"signature_name": signature, "inputs": inputs}
    assert predict(client, body) == {"outputs": outputs}


@pytest.mark.parametrize(
    ("signature", "instances", "predictions"),
    [
        ("default", [{"x": 1.0}, {"x": 2.0}], [10.0, 20.0]),
        ("default", [{"x": 1.0, "scale": 1.0}, {"x": 2.0, "scale": 5.0}], [1.0, 10.0]),
        ("default_of_three", [{"x": 1.0}, {"x": 1.0}, {"x": 1.0}], [1.0, 10.0, 100.0]),
        ("defaults_alone", [{}, {}], [20.0, 20.0]),
        ("default_scalar", [{"x": 1.0}, {"x": 2.0}], [10.0, 20.0]),
        ("of_two", [{"two": 1.0, "pairs": X}, {"two": 2.0, "pairs": X}], [2.0, 3.0]),
        ("twin_inputs", [{"a": 1.0, "b": 1.0}], [2.0]),
        ("columns", [{"column": 1.0, "x": 1.0}], [{"x": 2.0, "y": 2.0}]),
        ("columns", [{"column": [1.0], "x": 1.0}], [{"x": 2.0, "y": [2.0]}]),
        ("instances", [{"instances": 1.0, "inputs": 1.0}], [2.0]),
        ("b64", [{"b64": "YWJj"}], ["YWJj!"]),
    ],
)  # fmt: skip
def test_it_serves_rows(
    client: FlaskClient, signature: str, instances: Any, predictions: Any
) -> None:
    body = {"signature_name": signature, "instances": instances}
    assert predict(client, body) == {"predictions": predictions}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"signature_name": "twin_inputs", "inputs": {"a": X, "b": [1.0, 2.0, 4.0]}}, "inputs.*[2]: Inputs 'a' and 'b' are one tensor of the model; expected equal values for both."),
        ({"signature_name": "default", "instances": [{"x": 1.0, "scale": 1.0}, {"x": 1.0}]}, "instances[1].scale: Missing; expected a number within float32."),
        ({"signature_name": "default", "instances": [{"x": 1.0, "scale": None}]}, "instances[0].scale: Expected a number within float32, not null."),
        ({"signature_name": "default", "instances": [{"scale": 1.0}]}, "instances[0].x: Missing; expected a number within float32."),
        ({"signature_name": "default", "inputs": {"scale": [1.0]}}, "inputs.x: Missing; expected a number within float32."),
        ({"signature_name": "default", "inputs": {"x": [1.0, 2.0], "scale": [1.0]}}, "inputs.scale: Expected 1 row, as many as 'x' has, not 2."),
        ({"signature_name": "default_text", "instances": [{"x": 1.0, "text": 5}]}, "instances[0].text: Expected a string, not 5."),
    ],
)  # fmt: skip
def test_what_it_does_not_take_is_named(client: FlaskClient, body: Any, problem: str) -> None:
    answer = predict(client, body)
    assert answer["code"] == "INVALID_ARGUMENT"
    if "as many as" not in problem:
        assert answer["error"] == problem


ONE_VALUE = "is one value for the whole request, not one for each instance; send"


@pytest.mark.parametrize(
    ("signature", "instances", "problems"),
    [
        ("scalar", [1.5], {"instances": [f"Input 'scale' {ONE_VALUE} 'inputs' instead of 'instances'."]}),
        ("scalar", [{"scale": 1.5}], {"instances": [f"Input 'scale' {ONE_VALUE} 'inputs' instead of 'instances'."]}),
        ("default_scalar", [{"x": 1.0}, {"x": 1.0, "scale": 2.0}], {"instances": [f"Input 'scale' {ONE_VALUE} 'inputs' instead of 'instances'."]}),
        ("of_two", [{"two": 1.0, "pairs": X}] * 3, {"instances": ["Expected a list of 2 values, not a list of 3 values."]}),
        ("of_two", [{"two": 1.0, "pairs": X}, {"two": 1.0}], {"instances[1].pairs": ["Missing; expected a number within float32."]}),
    ],
)  # fmt: skip
def test_where_the_instances_do_not_fit_the_place_is_theirs(
    client: FlaskClient, signature: str, instances: Any, problems: dict[str, list[str]]
) -> None:
    body = {"signature_name": signature, "instances": instances}
    assert predict(client, body)["details"] == problems


def test_examples_do_not_hold_what_is_one_value_for_all(client: FlaskClient) -> None:
    body = {"signature_name": "default_scalar", "examples": [{"x": 1.0, "scale": 2.0}]}
    answer = client.post("/v1/models/odd:regress", json=body).json
    assert answer["error"] == (
        f"examples: Input 'scale' {ONE_VALUE} a request to :predict with 'inputs'."
    )
    assert client.post(
        "/v1/models/odd:regress", json={**body, "examples": [{"x": 1.0}, {"x": 2.0}]}
    ).json == {"results": [10.0, 20.0]}


def test_a_default_may_be_left_out_in_every_format(client: FlaskClient) -> None:
    item = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1.0, 2.0]}
    body = {"parameters": {"signature_name": "default"}, "inputs": [item]}
    (output,) = client.post("/v2/models/odd/infer", json=body).json["outputs"]
    assert output["data"] == [10.0, 20.0]
    url = "/v1/models/odd:predict?signature_name=default"
    answer = client.post(url, data="x\n1\n2\n", content_type="text/csv")
    assert answer.json == {"predictions": [10.0, 20.0]}
    assert client.post(url, data={"x": "3"}, content_type="multipart/form-data").json == {
        "predictions": [30.0]
    }
    (described,) = client.get("/v1/models").json["models"][1:2]
    fields = {field["name"]: field for field in described["signatures"]["default"]["inputs"]}
    assert (fields["scale"]["has_default"], fields["scale"]["default"]) == (True, [10.0])
    assert "has_default" not in fields["x"]


def test_texts_and_records_of_one_value_may_come_plain(client: FlaskClient) -> None:
    url = "/v1/models/odd:predict?signature_name=texts"
    answer = client.post(url, data="quiet", content_type="text/plain")
    assert answer.json == {"predictions": ["QUIET"]}
    url = "/v1/models/odd:predict?signature_name=columns"
    answer = client.post(url, data="column,x\n1,2\n3,4\n", content_type="text/csv")
    assert answer.json == {"predictions": [{"x": 3.0, "y": 2.0}, {"x": 5.0, "y": 6.0}]}


def test_outputs_that_are_inputs_do_not_mix_clients(client: FlaskClient) -> None:
    def ask(i: int) -> None:
        values = [float(i)] * (1 + i % 3)
        body = {"signature_name": "alias_and_more", "inputs": values}
        want = {"same": values, "y": [value + 1 for value in values]}
        assert predict(client, body) == {"outputs": want}

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(200)))


def test_what_cannot_be_served_is_left_out_by_name(client: FlaskClient) -> None:
    models = {model["name"]: model for model in client.get("/v1/models").json["models"]}
    bad = models["bad"]
    assert bad["version"] == "1"
    assert list(bad["signatures"]) == ["serving_default"]
    assert bad["left_out"].keys() == REASONS.keys()
    for name, reason in REASONS.items():
        assert bad["left_out"][name].startswith(reason), bad["left_out"][name]
        assert bad["left_out"][name].endswith(".")
    assert models["odd"]["left_out"] == {}
    assert predict(client, {"instances": [1.0]}, "bad") == {"predictions": [2.0]}
    metadata = client.get("/v1/models/bad/metadata").json["metadata"]
    assert metadata["signature_def"]["signature_def"].keys() == {*REASONS, "serving_default"}


@pytest.mark.parametrize("name", REASONS)
def test_who_asks_for_it_is_told_why(client: FlaskClient, name: str) -> None:
    told = f"Signature {name!r} cannot be served: {REASONS[name]}"
    assert told in predict(client, {"signature_name": name, "instances": [1.0]}, "bad")["error"]
    item = {"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]}
    body = {"parameters": {"signature_name": name}, "inputs": [item]}
    assert told in client.post("/v2/models/bad/infer", json=body).json["error"]
    for url in ("/v1/models/bad:classify", "/v1/models/bad:regress"):
        body = {"signature_name": name, "examples": [{"x": 1.0}]}
        assert told in client.post(url, json=body).json["error"]


def test_graphs_pinned_to_another_machine_are_placed_here(client: FlaskClient) -> None:
    assert predict(client, {"instances": [1.0, 2.0]}, "pinned") == {"predictions": [2.0, 4.0]}


def test_a_model_without_any_good_signature_is_refused_with_the_reasons(tmp_path: Path) -> None:
    save_graph(
        tmp_path / "none" / "1",
        lambda: {
            k: v for k, v in bad_signatures()[0].items() if k in ("variant", "no_such_tensor")
        },
    )
    with served(tmp_path, "loop") as client:
        (model,) = client.get("/v1/models").json["models"]
        (version,) = model["versions"]
        assert version["state"] == "failed"
        for name in ("variant", "no_such_tensor"):
            assert f"{name!r}: {REASONS[name]}" in version["reason"]
