"""Feedback and audits: what they take, refuse and answer, on the loop and by Flask's routes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.events.sampling import sampling_point
from service.repository.golden_examples import write_golden
from service.repository.model_card import write_card
from service.repository.model_store import Store
from tests.savedmodels.affine import AFFINE_CONTRACT, affine_golden, publish_affine, save_affine
from tests.savedmodels.saving import card
from tests.savedmodels.shapes import save_shapes
from tests.service.api.error_bodies import assert_error
from tests.service.api.openapi.test_response_schemas import Checker
from tests.service.conftest import served
from tests.waiting import eventually

FEEDBACK = "/v1/models/affine:feedback"
AUDITS = "/v1/models/affine/audits"
BODY = {
    "instances": [
        {"x": [1, 2], "text": "quiet"},
        {"x": [3, 4], "text": "loud", "shift": 0.5},
    ]
}
# By the hash of the id: below 0.5 and above.
IN, OUT = (
    next(i for i in map("id-{}".format, range(99)) if (sampling_point(i) < 0.5) is is_in)
    for is_in in (True, False)
)


# A version of ``private`` that is there and not loaded.
OLD = 1


def publish_private(root: Path) -> None:
    """Publish ``private``: ``affine`` with a sensitive input and a sensitive output."""
    whole = AFFINE_CONTRACT["serving_default"]
    contract = {
        "serving_default": replace(
            whole,
            inputs=tuple(replace(f, sensitive=f.name == "text") for f in whole.inputs),
            outputs=tuple(replace(f, sensitive=f.name == "loud") for f in whole.outputs),
        )
    }

    def fill(folder: Path) -> None:
        save_affine(folder)
        write_card(folder, card("private", contract))
        write_golden(folder, affine_golden(0))

    for _ in (OLD, "latest"):
        Store(root).publish("private", fill)
    (root / "private" / "policy.json").write_text('{"events": {"rate": 1}}')


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_private(root)
    save_shapes(root / "shapes" / "1")
    (root / "shapes" / "policy.json").write_text('{"events": {"rate": 1}}')
    file = tmp_path_factory.mktemp("events") / "events.db"
    with served(root, request.param, events=str(file), events_rate=0.5) as client:
        yield client
        client.application.extensions["events"].writer.stop(10)


def predict(
    client: FlaskClient, request_id: str, body: Any = BODY, model: str = "affine"
) -> TestResponse:
    headers = {"X-Request-Id": request_id}
    return client.post(f"/v1/models/{model}:predict", json=body, headers=headers)


def stored(client: FlaskClient, request_id: str, model: str = "affine") -> Any:
    """Wait until a prediction is stored, and return it."""
    store = client.application.extensions["events"].store
    eventually(lambda: store.find(model, request_id) is not None)
    return store.find(model, request_id)


def send(client: FlaskClient, *items: Any, path: str = FEEDBACK) -> TestResponse:
    return client.post(path, json={"feedback": list(items)})


def test_a_sampled_prediction_is_stored_with_its_answer(client: FlaskClient) -> None:
    assert predict(client, OUT).status_code == 200
    assert predict(client, IN).status_code == 200
    found = stored(client, IN)
    assert (found.version, found.signature, found.instances) == (1, "serving_default", 2)
    assert (found.probability, found.status) == (0.5, 200)
    assert json.loads(found.inputs) == {
        "x": [[1.0, 2.0], [3.0, 4.0]],
        "text": ["quiet", "loud"],
        "shift": [None, 0.5],
    }
    assert json.loads(found.outputs) == {"y": [5.0, 11.5], "loud": ["QUIET", "LOUD"]}
    # It was answered before, so it would be there by now.
    assert client.application.extensions["events"].store.find("affine", OUT) is None


def test_refused_requests_are_not_stored(client: FlaskClient) -> None:
    assert predict(client, f"{IN}-bad", {"instances": [{"x": [1]}]}).status_code == 400
    assert predict(client, "last", model="private").status_code == 200
    stored(client, "last", "private")
    counts = client.application.extensions["events"].store.counts()
    assert counts.keys() <= {"affine", "private"}
    assert client.application.extensions["events"].store.find("affine", f"{IN}-bad") is None


def test_feedback_is_idempotent_and_correctable(client: FlaskClient) -> None:
    predict(client, IN)
    stored(client, IN)
    item = {"id": IN, "row": 1, "truth": {"y": 11, "loud": "LOUD"}}
    assert send(client, item).json == taken(stored=1)
    assert send(client, item).json == taken(unchanged=1)
    response = send(client, {**item, "truth": 12.5, "source": "user"}, {"id": OUT, "truth": 1})
    assert response.json == taken(corrected=1, not_sampled=[OUT])
    assert response.headers["Cache-Control"] == "no-store"
    store = client.application.extensions["events"].store
    events = {event.request_id: truths for event, truths in store.events("affine")}
    assert [(t.instance, t.values, t.corrections) for t in events[IN]] == [(1, {"y": 12.5}, 1)]


def taken(**changes: Any) -> dict[str, Any]:
    return {"stored": 0, "corrected": 0, "unchanged": 0, "not_sampled": [], **changes}


def test_what_was_not_sampled_is_not_found(client: FlaskClient) -> None:
    predict(client, IN)
    stored(client, IN)
    for item in ({"id": OUT, "truth": 1}, {"id": "never-asked", "row": 2, "truth": 1}):
        response = send(client, item)
        assert_error(response, 404, "NOT_FOUND")
        row, name = item.get("row", 0), item["id"]
        assert response.json["error"] == (
            f"feedback[0]: No row {row} of a prediction {name!r} is stored: it was not sampled, "
            "has expired, or was answered within the last second."
        )
    assert_error(
        send(client, {"id": IN, "truth": 1}, path="/v1/models/nope:feedback"), 404, "NOT_FOUND"
    )


def test_truths_are_checked_by_the_contract_in_words(client: FlaskClient) -> None:
    predict(client, IN)
    stored(client, IN)
    predict(client, "p", model="private")
    stored(client, "p", "private")
    wrong = [
        ({"id": IN, "truth": "five"}, "feedback[0].truth", "Expected a number within float32, not 'five'."),
        ({"id": IN, "truth": {"y": [1]}}, "feedback[0].truth.y", "Expected a number within float32, not a list of 1 value."),
        ({"id": IN, "truth": {"loud": 3}}, "feedback[0].truth.loud", "Expected a string, not 3."),
        ({"id": IN, "truth": {"z": 1}}, "feedback[0].truth.z", "There is no such output; there are 'y', 'loud'."),
        ({"id": IN, "truth": {}}, "feedback[0].truth", "Expected at least one output."),
        ({"id": IN, "row": -1, "truth": 1}, "feedback[0].row", "Expected a whole number from 0 to 2147483647, not -1."),
        ({"id": IN, "row": 2**31, "truth": 1}, "feedback[0].row", "Expected a whole number from 0 to 2147483647, not 2147483648."),
        ({"id": IN, "row": None, "truth": 1}, "feedback[0].row", "Expected a whole number from 0 to 2147483647, not null."),
        ({"id": IN, "row": 2, "truth": 1}, "feedback[0].row", "Expected a row of this prediction, 0 to 1, not 2."),
        ({"id": IN, "truth": 1, "source": "me"}, "feedback[0].source", 'Expected "user" or "audit", not \'me\'.'),
        ({"id": IN, "truth": 1, "source": []}, "feedback[0].source", 'Expected "user" or "audit", not a list of 0 values.'),
        ({"id": "", "truth": 1}, "feedback[0].id", "Expected the X-Request-Id of a prediction, not ''."),
        ({"id": "a\0", "truth": 1}, "feedback[0].id", r"Expected the X-Request-Id of a prediction, not 'a\x00'."),
        ({"id": IN, "truth": 1, "source": "audit"}, "feedback[0].source", 'This row was not handed out as an audit; "source" must be "user".'),
    ]  # fmt: skip
    for item, path, message in wrong:
        # A good one beside it is not stored either.
        response = send(client, item, {"id": IN, "row": 1, "truth": 77})
        assert_error(response, 400, "INVALID_ARGUMENT")
        assert response.json["details"] == {path: [message]}
    one = {"instances": BODY["instances"][:1]}
    predict(client, "one-row", one, model="private")
    stored(client, "one-row", "private")
    item = {"id": "one-row", "row": 7, "truth": 1}
    response = send(client, item, path="/v1/models/private:feedback")
    assert response.json["details"] == {
        "feedback[0].row": ["Expected 0, the only row of this prediction, not 7."]
    }
    for item, shown in (
        (1, "a number"),
        ("LOUD", "a text"),
        (None, "null"),
        ([1], "a list of 1 value"),
        ({}, "{}"),
        ({"id": IN}, '{"id": ...}'),
        ({"id": IN, "truth": 1, "more": 1}, '{"id": ..., "truth": ..., "more": ...}'),
        (dict.fromkeys("abcdef", 1), '{"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., ...}'),
    ):
        error = send(client, item).json["error"]
        assert error.startswith(
            'feedback[0]: Expected an object with "id", "truth", and optionally'
        )
        assert error.endswith(f", not {shown}.")
    of_objects = "feedback: Expected a list of 1 to 1000 objects, not "
    for body, error in (
        ({}, 'Expected {"feedback": [...]}, not {}.'),
        ([], 'Expected {"feedback": [...]}, not a list of 0 values.'),
        (
            {"feedback": [1], "b": 1},
            'Expected {"feedback": [...]}, not {"feedback": ..., "b": ...}.',
        ),
        ({"feedback": []}, of_objects + "a list of 0 values."),
        ({"feedback": {}}, of_objects + "{}."),
        ({"feedback": None}, of_objects + "null."),
        ({"feedback": [1] * 1001}, of_objects + "a list of 1001 values."),
    ):
        response = client.post(FEEDBACK, json=body)
        assert_error(response, 400, "INVALID_ARGUMENT")
        assert response.json["error"] == error
    sensitive = send(
        client, {"id": "p", "truth": {"loud": "LOUD"}}, path="/v1/models/private:feedback"
    )
    assert "sensitive, so it is not stored" in sensitive.json["error"]
    assert (
        send(client, *[{"id": IN, "truth": "no"}] * 30)
        .json["error"]
        .endswith("(The first of more than 20 problems.)")
    )
    truths = [
        t
        for _, found in client.application.extensions["events"].store.events("affine")
        for t in found
    ]
    assert {"y": 77} not in [t.values for t in truths]


def test_a_truth_of_an_answer_without_rows_is_the_whole_answer(client: FlaskClient) -> None:
    path = "/v1/models/shapes:feedback"
    asked = {"signature_name": "scalar", "inputs": {"count": 3, "twice": True}}
    predict(client, "whole", asked, "shapes")
    stored(client, "whole", "shapes")
    for wrong in ("six", [6]):
        details = send(client, {"id": "whole", "truth": wrong}, path=path).json["details"]
        assert "Expected a whole number" in details["feedback[0].truth"][0]
    for truth in (7, {"result": 8}):
        response = send(client, {"id": "whole", "truth": truth}, path=path)
        assert response.status_code == 200, response.text


def test_what_the_card_of_an_unloaded_version_lacks_is_checked_by_the_latest(
    client: FlaskClient,
) -> None:
    """The card describes ``serving_default`` alone, and the service served ``only_y`` as well."""
    predict(client, IN + "-only", {"signature_name": "only_y", "instances": [[1, 2]]}, "private")
    event = stored(client, IN + "-only", "private")
    store = client.application.extensions["events"].store
    store.add([replace(event, request_id="of-an-old-one", version=OLD)])
    sent = send(client, {"id": "of-an-old-one", "truth": 4}, path="/v1/models/private:feedback")
    assert (sent.status_code, sent.json.get("stored")) == (200, 1), sent.text


def test_sensitive_fields_are_neither_stored_nor_shown(client: FlaskClient) -> None:
    predict(client, "p", model="private")
    found = stored(client, "p", "private")
    assert json.loads(found.inputs).keys() == {"x", "shift"}
    assert json.loads(found.outputs).keys() == {"y"}
    (private,) = [m for m in client.get("/v1/models").json["models"] if m["name"] == "private"]
    fields = private["signatures"]["serving_default"]["inputs"]
    assert [field.get("sensitive") for field in fields] == [None, True, None]
    # Golden examples are somebody's rows as well: of what has none to hide they are shown.
    document = client.get("/openapi.json").json
    for model, version, signatures in (
        ("affine", 1, {"serving_default", "only_y"}),
        ("private", OLD + 1, {"only_y"}),
    ):
        examples = client.get(f"/ui/models/{model}/versions/{version}").json["examples"]
        assert {each["signature"] for each in examples} == signatures
        body = document["paths"][f"/v1/models/{model}:predict"]["post"]["requestBody"]
        found = [
            document["components"]["examples"][each["$ref"].rpartition("/")[2]]["value"]
            for each in body["content"]["application/json"].get("examples", {}).values()
        ]
        shown = {each.get("signature_name", "serving_default") for each in found}
        assert shown == signatures


def test_sensitive_values_are_repeated_in_no_message(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages are logged, and the log is kept and read by others than who sent the value."""
    path, row = "/v1/models/private:predict", {"x": [1, 2], "text": "ANN"}
    tensors = [
        {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]},
        {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["ANN"]},
    ]
    answers = [
        client.post(path, json={"instances": [row]}),
        client.post(path, json={"inputs": {"x": [[1, 2]], "text": ["ANN"]}}),
        client.post("/v2/models/private/infer", json={"inputs": tensors}),
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert "Expected one of 'quiet', 'loud'" in answer.text, answer.text
    told = [answer.text for answer in answers] + [str(vars(each)) for each in caplog.records]
    assert [text for text in told if "ANN" in text] == []


def test_audits_show_rows_without_answers(client: FlaskClient) -> None:
    ids = [i for i in map("audit-{}".format, range(40)) if sampling_point(i) < 0.5]
    for each in ids:
        predict(client, each)
    stored(client, ids[-1])
    response = client.get(f"{AUDITS}?count=100")
    assert response.headers["Cache-Control"] == "no-store"
    audits = response.json["audits"]
    assert {audit["id"] for audit in audits} >= set(ids)
    assert client.get(AUDITS).json == {"audits": []}
    audit = audits[0]
    assert audit.keys() == {"id", "row", "signature", "inputs"}
    expected = [[1.0, 2.0], [3.0, 4.0]][audit["row"]]
    assert audit["inputs"]["x"] == expected
    item = {"id": audit["id"], "row": audit["row"], "truth": 1, "source": "audit"}
    assert send(client, item).json == taken(stored=1)
    for count in ("0", "101", "x", "-1", "", "1" * 5000, "00100999"):
        assert_error(client.get(f"{AUDITS}?count={count}"), 400, "INVALID_ARGUMENT")


def test_the_list_of_models_says_what_is_stored(client: FlaskClient) -> None:
    found = {m["name"]: m["events"] for m in client.get("/v1/models").json["models"]}
    assert found == {"affine": {"rate": 0.5}, "private": {"rate": 1}, "shapes": {"rate": 1}}


def test_answers_are_as_the_document_says(client: FlaskClient) -> None:
    checker = Checker(client)
    predict(client, IN)
    stored(client, IN)
    item = {"id": IN, "truth": 1}
    assert checker.ask("POST", FEEDBACK, json={"feedback": [item]}).status_code == 200
    assert checker.ask("POST", FEEDBACK, json={"feedback": []}).status_code == 400
    assert (
        checker.ask("POST", FEEDBACK, json={"feedback": [{**item, "id": OUT}]}).status_code == 404
    )
    assert checker.ask("POST", FEEDBACK, data="{", content_type="text/html").status_code == 415
    assert checker.ask("GET", AUDITS).status_code == 200
    assert checker.ask("GET", "/v1/models").status_code == 200


def test_a_store_that_cannot_be_used_is_unavailable(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = client.application.extensions["events"].store
    monkeypatch.setattr(store.database, "_path", tmp_path / "gone" / "events.db")
    for response in (send(client, {"id": IN, "truth": 1}), client.get(AUDITS)):
        assert_error(response, 503, "UNAVAILABLE")
        assert response.json["error"] == "The event store cannot be used now."
        assert response.headers["Retry-After"] == "5"
    assert predict(client, IN).status_code == 200


def test_without_a_store_nothing_is_taken(tmp_path: Path) -> None:
    publish_affine(tmp_path)
    with served(tmp_path, "loop") as client:
        assert predict(client, IN).status_code == 200
        for response in (send(client, {"id": IN, "truth": 1}), client.get(AUDITS)):
            assert_error(response, 403, "PERMISSION_DENIED")
            assert (
                response.json["error"]
                == "Predictions are not stored here; UNDERSTUDY_EVENTS turns that on."
            )
        (model,) = client.get("/v1/models").json["models"]
        assert "events" not in model
        assert client.application.extensions["events"] is None
