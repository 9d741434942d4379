"""The models of this repository, served as a user would serve them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from service.repository.model_store import Store
from tests.e2e.conftest import Service, StartService

MODELS = Path(__file__).resolve().parents[2] / "saved_models"
LATEST = {model: max(Store(MODELS).versions(model).items())[1] for model in Store(MODELS).models()}
# By whose word, or by what, their requests run together.
BATCHED_BY = {"clothing": "card", "sentiment": "policy", "mpg": "graph"}
EXAMPLES = [
    pytest.param(model, example, id=f"{model}-{number}")
    for model, directory in LATEST.items()
    for number, example in enumerate(
        json.loads((directory / "assets.extra" / "golden.json").read_text())["examples"]
    )
]


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Service:
    return start_service(MODELS)


def test_the_three_models_are_here_and_small() -> None:
    assert LATEST.keys() >= {"clothing", "sentiment", "mpg"}
    for directory in LATEST.values():
        size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
        assert size < 8_000_000


def test_nothing_lies_in_a_wrong_place() -> None:
    _, ignored = Store(MODELS).survey()
    assert ignored == []


@pytest.mark.parametrize(("model", "example"), EXAMPLES)
def test_golden_examples_over_http(service: Service, model: str, example: dict[str, Any]) -> None:
    body = {"signature_name": example["signature"], "instances": [example["instance"]]}
    response = service.post(f"/v1/models/{model}:predict", body)
    assert response.status_code == 200, response.text
    assert response.headers["X-Model-Version"] == LATEST[model].name
    (prediction,) = response.json()["predictions"]
    assert prediction.keys() == example["prediction"].keys()
    for name, want in example["prediction"].items():
        assert agrees(prediction[name], want), (name, prediction[name], want)


def agrees(got: Any, want: Any) -> bool:
    if isinstance(want, list):
        return len(got) == len(want) and all(map(agrees, got, want))
    if isinstance(want, float):
        return math.isclose(got, want, rel_tol=1e-2, abs_tol=1e-3)
    return bool(got == want)


@pytest.mark.parametrize("model", LATEST)
def test_a_batch_answers_as_its_rows_do(service: Service, model: str) -> None:
    examples = [
        e.values[1]
        for e in EXAMPLES
        if e.values[0] == model and e.values[1]["signature"] == "serving_default"
    ]
    body = {"instances": [example["instance"] for example in examples]}
    predictions = service.post(f"/v1/models/{model}:predict", body).json()["predictions"]
    for example, prediction in zip(examples, predictions, strict=True):
        for name, want in example["prediction"].items():
            assert agrees(prediction[name], want), (name, prediction[name], want)


@pytest.mark.parametrize("model", LATEST)
def test_every_field_is_documented(service: Service, model: str) -> None:
    (summary,) = [m for m in service.get("/v1/models").json()["models"] if m["name"] == model]
    for signature in summary["signatures"].values():
        for field in signature["inputs"] + signature["outputs"]:
            assert field["description"]


@pytest.mark.parametrize("model", LATEST)
def test_requests_run_together(service: Service, model: str) -> None:
    """Without, all answers are right as well, only several times as slow: nobody would see it."""
    (summary,) = [m for m in service.get("/v1/models").json()["models"] if m["name"] == model]
    assert summary["signatures"]
    for name, signature in summary["signatures"].items():
        batching = signature["batching"]
        assert batching["rows_independent"] is True, (name, batching)
        assert batching["source"] == BATCHED_BY[model], (name, batching)
