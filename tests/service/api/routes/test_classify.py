"""TensorFlow Serving's ``:classify`` and ``:regress``, through the whole application."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from service.settings.settings import Settings
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import publish_kinds, save_half_plus_three

HALF = "/v1/models/half_plus_three"
KINDS = "/v1/models/kinds"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    save_half_plus_three(root / "half_plus_three" / "123")
    publish_kinds(root)
    publish_kinds(root, model="untold", task="classification")
    publish_affine(root)
    (root / "kinds" / "policy.json").write_text('{"labels": {"stable": 1}}')
    app = create_app(Settings(models=root, quiet_s=0.0, workers=1))
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    assert lifecycle.wait_until_settled(60)
    yield app.test_client()
    lifecycle.stop()


def ask(client: FlaskClient, path: str, body: Any) -> Any:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.json
    assert response.content_type == "application/json"
    return response.json


def test_the_example_of_tensorflow_servings_documentation(client: FlaskClient) -> None:
    """tensorflow_serving/g3doc/api_rest.md, with the same answer."""
    body = '{"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}'
    response = client.post(f"{HALF}:regress", data=body)
    assert json.loads(response.data) == {"results": [3.5, 4.0]}
    assert response.headers["X-Model-Version"] == "123"
    assert ask(client, f"{HALF}:predict", {"instances": [1.0, 2.0, 5.0]}) == {
        "predictions": [3.5, 4.0, 5.5]
    }


def test_the_query_names_the_signature_unless_the_body_does(client: FlaskClient) -> None:
    path = f"{HALF}:regress?signature_name=tensorflow/serving/regress"
    assert ask(client, path, {"examples": [{"x": 1.0}]}) == {"results": [3.5]}
    body = {"signature_name": "serving_default", "examples": [{"x": 1.0}]}
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert response.json["error"].startswith("Signature 'serving_default' is not a regression")


@pytest.mark.parametrize("x", [1.0, [1.0]])
@pytest.mark.parametrize("where", ["", "/versions/123"])
def test_serialised_examples_are_classified(client: FlaskClient, where: str, x: Any) -> None:
    body = {"signature_name": "classify_x", "examples": [{"x": x, "count": 7}, {"x": 3.0}]}
    assert ask(client, f"{HALF}{where}:classify", body) == {
        "results": [
            [["it is small", 0.5625], ["7 it", 0.4375]],
            [["it is small", 0.4375], ["0 it", 0.5625]],
        ]
    }


@pytest.mark.parametrize(
    ("signature", "results"),
    [
        ("scores_only", [[["", 0.5625], ["", 0.4375]]]),
        ("classes_only", [[["it is small", 0.0], ["0 it", 0.0]]]),
    ],
)
def test_labels_or_scores_alone(client: FlaskClient, signature: str, results: Any) -> None:
    body = {"signature_name": signature, "examples": [{"x": 1.0}]}
    assert ask(client, f"{HALF}:classify", body) == {"results": results}


def test_the_context_is_part_of_each_example_and_the_example_wins(client: FlaskClient) -> None:
    body = {
        "signature_name": "classify_x",
        "context": {"name": {"b64": "w6k="}, "count": 5},
        "examples": [{"x": 1.0}, {"x": 1.0, "count": True, "name": ["a"]}],
    }
    assert [
        [label for label, _ in row] for row in ask(client, f"{HALF}:classify", body)["results"]
    ] == [
        ["é is small", "5 é"],
        ["a is small", "1 a"],
    ]


def test_features_that_the_graph_does_not_parse_are_not_its_business(client: FlaskClient) -> None:
    body = {
        "signature_name": "tensorflow/serving/regress",
        "examples": [{"x": 1.0, "other": ["a", "b"], "none": []}],
    }
    assert ask(client, f"{HALF}:regress", body) == {"results": [3.5]}


def test_a_contract_is_classified_by_its_choices(client: FlaskClient) -> None:
    flat, nested = {"grid": [0, 0, 0, 1], "bonus": [2]}, {"grid": [[0, 0], [0, -1]], "bonus": -2}
    for where in ("", "/versions/1", "/labels/stable"):
        rows = ask(client, f"{KINDS}{where}:classify", {"examples": [flat, nested]})["results"]
        assert [[label for label, _ in row] for row in rows] == [["much", "nil", "little"]] * 2
        assert [max(row, key=lambda pair: pair[1])[0] for row in rows] == ["much", "little"]
        assert all(math.isclose(sum(p for _, p in row), 1, rel_tol=1e-6) for row in rows)
        body = {"inputs": {"grid": [[[0, 0], [0, 1]]], "bonus": [2]}}
        (told,) = ask(client, f"{KINDS}:predict", body)["outputs"]["probabilities"]
        assert [p for _, p in rows[0]] == told


def test_a_context_is_inputs_too(client: FlaskClient) -> None:
    body = {"context": {"bonus": 1, "grid": [0, 0, 0, 0]}, "examples": [{}, {"bonus": -1}]}
    rows = ask(client, f"{KINDS}:classify", body)["results"]
    assert [max(row, key=lambda pair: pair[1])[0] for row in rows] == ["much", "little"]


def test_one_probability_of_two_choices(client: FlaskClient) -> None:
    body = {"signature_name": "of_two", "examples": [{"text": "ab"}, {"text": "abcdefgh"}]}
    assert ask(client, f"{KINDS}:classify", body) == {
        "results": [[["short", 0.75], ["long", 0.25]], [["short", 0.0], ["long", 1.0]]]
    }


def test_the_best_class_alone(client: FlaskClient) -> None:
    body = {
        "signature_name": "best",
        "examples": [{"text": "ab"}, {"text": {"b64": "/w=="}}],
    }
    assert ask(client, f"{KINDS}:classify", body) == {
        "results": [[["AB", 0.25]], [[{"b64": "/w=="}, 0.25]]]
    }


def test_a_regression_is_the_only_float_or_a_cards_first(client: FlaskClient) -> None:
    body = {"signature_name": "bounds", "examples": [{"x": 1.5}, {"x": [2]}]}
    assert ask(client, f"{KINDS}:regress", body) == {"results": [1.5, 2.0]}
    body = {"signature_name": "only_y", "examples": [{"x": [3, 4]}]}
    assert ask(client, "/v1/models/affine:regress", body) == {"results": [11.0]}


PREDICT, REGRESS, CLASSIFY = (
    f"tensorflow/serving/{kind}" for kind in ("predict", "regress", "classify")
)
BAD_REQUESTS: list[tuple[str, Any, str, list[str]]] = [
    # model and verb, body, sentence, the places in details
    ("kinds:classify", [], "Expected a JSON object with 'examples', not a list of 0 values.", []),
    ("kinds:classify", {}, "examples: Missing 'examples' key.", ["examples"]),
    (
        "kinds:classify",
        {"instances": [1], "examples": [{}]},
        "instances: Unknown field; the body takes signature_name, context and examples.",
        ["instances"],
    ),
    (
        "kinds:classify",
        {"examples": {}},
        "examples: Expected a list of at least 1 example, not an object.",
        ["examples"],
    ),
    (
        "kinds:regress",
        {"examples": []},
        "examples: Expected a list of at least 1 example, not a list of 0 values.",
        ["examples"],
    ),
    (
        "kinds:regress",
        {"examples": None, "context": [{"x": 1}]},
        "context: Expected an object of features, not a list of 1 value. (The first of 2 problems.)",
        ["context", "examples"],
    ),
    (
        "kinds:regress",
        {"examples": [{"x": 1}], "context": None},
        "context: Expected an object of features, not null.",
        ["context"],
    ),
    (
        "kinds:classify",
        {"signature_name": ["best"], "examples": [{}]},
        "signature_name: Expected a string, not a list of 1 value.",
        ["signature_name"],
    ),
    (
        "kinds:classify",
        {"signature_name": "worst", "examples": [{}]},
        'Serving signature name: "worst" not found in signature def; there are: '
        "best, bounds, of_two, serving_default.",
        [],
    ),
    (
        "kinds:classify",
        {"signature_name": "bounds", "examples": [{"x": 1}]},
        f"Signature 'bounds' is not a classification (its method is {PREDICT}, its outputs are "
        "middle, low); ask with :predict.",
        [],
    ),
    (
        "untold:regress",
        {"signature_name": "bounds", "examples": [{"x": 1}]},
        f"Signature 'bounds' is not a regression (its method is {PREDICT}, its outputs are "
        "middle, low); ask with :predict.",
        [],
    ),
    (
        "affine:classify",
        {"examples": [{"x": [1, 2]}]},
        f"Signature 'serving_default' is not a classification (its method is {PREDICT}, its outputs "
        "are y, loud); ask with :predict.",
        [],
    ),
    (
        "half_plus_three:regress",
        {"signature_name": "classify_x", "examples": [{"x": 1.0}]},
        f"Signature 'classify_x' is not a regression (its method is {CLASSIFY}, its outputs are "
        "classes, scores); ask with :predict.",
        [],
    ),
    (
        "half_plus_three:regress",
        {"signature_name": "two_columns", "examples": [{"x": 1.0}]},
        f"Signature 'two_columns' is not a regression (its method is {REGRESS}, its outputs are "
        "outputs); ask with :predict.",
        [],
    ),
    (
        "half_plus_three:classify",
        {"signature_name": REGRESS, "examples": [{"x": 1.0}]},
        f"Signature '{REGRESS}' is not a classification (its method is {REGRESS}, its outputs are "
        "outputs); ask with :predict.",
        [],
    ),
    (
        "kinds:classify",
        {"examples": [[1, 2], {"grid": [0, 0, 0, 10], "bonus": True, "z": 1}, {"bonus": 1}]},
        "examples[0]: Expected an object with grid, bonus, not a list of 2 values. "
        "(The first of 5 problems.)",
        [
            "examples[0]",
            "examples[1].z",
            "examples[1].grid[1][1]",
            "examples[1].bonus",
            "examples[2].grid",
        ],
    ),
    (
        "kinds:classify",
        {"examples": [{"grid": [1, 2, 3, 4, 5], "bonus": [1, 2]}]},
        "examples[0].grid: Expected a list of 2 values, not a list of 5 values. "
        "(The first of 2 problems.)",
        ["examples[0].grid", "examples[0].bonus"],
    ),
    (
        "kinds:classify",
        {"signature_name": "of_two", "examples": [{"b64": "QUI="}]},
        "examples[0].b64: Unknown field; signature 'of_two' takes text. (The first of 2 problems.)",
        ["examples[0].b64", "examples[0].text"],
    ),
    (
        "half_plus_three:regress",
        {
            "signature_name": REGRESS,
            "context": {"none": None},
            "examples": [
                "x",
                {"x": [1.0, 2, "3"], "y": [[1.0]], "z": {"b64": "?"}, "u": {"v": 1}},
                {"x": 1e39, "n": 2**63, "m": [1, True, -(2**63)]},
            ],
        },
        "context.none: Expected a number, string or boolean, not null. (The first of 8 problems.)",
        [
            "context.none",
            "examples[0]",
            "examples[1].x[1]",
            "examples[1].y[0]",
            "examples[1].z",
            "examples[1].u",
            "examples[2].x",
            "examples[2].n",
        ],
    ),
]


@pytest.mark.parametrize(("target", "body", "sentence", "places"), BAD_REQUESTS)
def test_bad_requests_are_explained(
    client: FlaskClient, target: str, body: Any, sentence: str, places: list[str]
) -> None:
    response = client.post(f"/v1/models/{target}", json=body)
    assert response.status_code == 400, response.json
    assert response.json["error"] == sentence
    assert response.json["code"] == "INVALID_ARGUMENT"
    assert list(response.json.get("details", {})) == places


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({}, "Feature 'x': Missing; expected numbers like 2.0."),
        ({"x": 1}, "Feature 'x': Expected numbers like 2.0, not whole numbers like 2."),
        ({"x": "one"}, "Feature 'x': Expected numbers like 2.0, not strings."),
        ({"x": [1.0, 2.0]}, "Feature 'x': Expected values of shape [1], not 2 of them."),
        ({"x": 1.0, "name": 2.5}, "Feature 'name': Expected strings, not numbers like 2.0."),
        ({"x": 1.0, "count": 2.5}, "Feature 'count': Expected whole numbers like 2, not numbers"),
    ],
)
def test_what_the_graph_cannot_parse(
    client: FlaskClient, features: dict[str, Any], sentence: str
) -> None:
    body = {"signature_name": REGRESS, "examples": [features]}
    response = client.post(f"{HALF}:regress", json=body)
    assert response.status_code == 400
    start = f"examples[0]: The model refused the input: {sentence}"
    assert response.json["error"].startswith(start)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{HALF}:classify", 405),
        ("PUT", f"{HALF}:regress", 405),
        ("POST", f"{HALF}:rank", 404),
        ("POST", "/v1/models/nope:classify", 404),
        ("POST", f"{HALF}/versions/9:regress", 404),
        ("POST", f"{HALF}/labels/nope:regress", 404),
        ("POST", f"{HALF}:regress/", 404),
        ("POST", f"{HALF}:Regress", 404),
    ],
)
def test_wrong_paths_and_methods(client: FlaskClient, method: str, path: str, status: int) -> None:
    assert client.open(path, method=method, data="{}").status_code == status
