"""What the page polls: true, cheap, and sent only when something has changed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from flask.testing import FlaskClient

from service.api.routes.page_version import example_on_page, headline_of
from service.repository.contract import DEFAULT_SIGNATURE, Field, Signature
from service.repository.golden_examples import GoldenExample
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.saving import card, publish, save
from tests.service.conftest import MakeApp


@pytest.fixture
def client(make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    root = tmp_path / "models"
    publish_affine(root, bias=0.0)
    publish_affine(root, bias=1.0)
    (root / "affine" / "policy.json").write_text(
        '{"serve": {"versions": [1]}, "labels": {"stable": 1}}'
    )
    (root / "affine" / "v3").mkdir()
    return make_app(max_rows=7).test_client()


class _Same(tf.Module):
    """Answers with what it is given."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float64, name="x")])
    def serve(self, x):
        return {"x": tf.identity(x)}


def _save_same(directory: Path) -> None:
    model = _Same()
    save(directory, model, serving_default=model.serve)


def test_a_model_as_it_serves(client: FlaskClient) -> None:
    overview = client.get("/ui/overview").json
    (model,) = overview["models"]
    assert model["name"] == "affine"
    assert model["version"] == "1"
    assert model["labels"] == {"stable": 1}
    assert model["pinned"] is True
    assert model["unloaded"] is False
    assert model["policy"].startswith("Pinned: ")
    assert {each["version"]: each["state"] for each in model["versions"]}["1"] == "available"
    assert overview["max_rows"] == 7
    assert overview["admin"] is False
    assert [item["path"] for item in overview["ignored"]] == ["affine/v3"]


def test_what_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/ui/overview")
    tag = first.headers["ETag"]
    again = client.get("/ui/overview", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag


def test_predictions_are_counted_by_version(client: FlaskClient) -> None:
    path = "/v1/models/affine/versions/1:predict"
    assert client.post(path, data="[[").status_code == 400
    overview = client.get("/ui/overview").json
    (model,) = overview["models"]
    times = model["times"]["1"]
    assert (times["requests"], times["failures"]) == (1, 1)
    assert len(times["buckets"]) == len(overview["bounds"]) + 1
    assert sum(times["buckets"]) == 1


def test_a_version_has_its_contract_card_and_examples(client: FlaskClient, tmp_path: Path) -> None:
    about = client.get("/ui/models/affine/versions/1").json
    folder = tmp_path / "models" / "affine" / "1" / "assets.extra"
    card = json.loads((folder / "card.json").read_text())
    golden = json.loads((folder / "golden.json").read_text())
    assert about["card"]["title"] == card["title"]
    assert about["card"]["headline"] == card["evaluation"].get("headline")
    assert [each["instance"] for each in about["examples"]] == [
        each["instance"] for each in golden["examples"]
    ]
    for name, signature in card["contract"].items():
        assert about["signatures"][name]["inputs"] == signature["inputs"]
        assert about["signatures"][name]["has_rows"] is True


def test_numbers_of_any_size_in_a_card_hide_no_model(make_app: MakeApp, tmp_path: Path) -> None:
    """Neither on the page nor in the description of the API, which are of all models."""
    largest = 10**25
    bounds = Field(name="x", dtype="float64", shape=(None,), minimum=-largest, maximum=largest)
    described = replace(
        card("wide", {DEFAULT_SIGNATURE: Signature(DEFAULT_SIGNATURE, (bounds,), (bounds,))}),
        evaluation={"headline": {"name": None, "value": largest, "low": "a", "high": 10**400}},
        training={"seed": largest},
        data={"rows": 10**400},
    )
    publish(tmp_path / "models", described, _save_same)
    client = make_app().test_client()
    (model,) = client.get("/ui/overview").json["models"]
    # Browsers compute with a headline's numbers, which are doubles there.
    assert model["evaluation"] == {"name": "", "value": 1e25}
    assert isinstance(model["evaluation"]["value"], float)
    about = client.get("/ui/models/wide/versions/1").json
    assert about["signatures"][DEFAULT_SIGNATURE]["inputs"][0]["maximum"] == largest
    made = {name: value for each in about["card"]["made"] for name, value in each["pairs"]}
    assert (made["seed"], made["rows"]) == (largest, 10**400)
    assert str(largest) in client.get("/openapi.json").text


def test_a_headline_that_is_no_number_is_none() -> None:
    for value in (True, None, "1", [1], 10**400):
        described = replace(card("odd", {}), evaluation={"headline": {"value": value}})
        assert headline_of(described) is None


def test_a_version_that_does_not_serve_is_not_found(client: FlaskClient) -> None:
    assert client.get("/ui/models/affine/versions/2").status_code == 404
    assert client.get("/ui/models/nobody/versions/1").status_code == 404


@pytest.mark.parametrize(
    ("note", "title", "is_hard"),
    [
        ("", "example", False),
        ("plain", "plain", False),
        ("hard", "example", True),
        ("A coat; hard: it looks like a shirt", "A coat: it looks like a shirt", True),
        ("hard: a bag", "a bag", True),
        ("a hardly known word", "a hardly known word", False),
        ("a" * 45, "a" * 43 + "…", False),
    ],
)
def test_examples_have_titles(note: str, title: str, is_hard: bool) -> None:
    shown = example_on_page(GoldenExample("s", {}, {}, note))
    assert (shown["note"], shown["title"], shown["is_hard"]) == (note, title, is_hard)
