"""``events``: what is stored goes out in others' forms, and comes back."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.events.event_store import EventStore
from service.events.feedback_records import Source, Truth
from service.events.sampling import Reason
from service.repository.contract import Field, Signature
from service.repository.model_card import Card, write_card
from service.repository.model_store import Store
from tests.savedmodels.affine import publish_affine, save_affine
from tests.savedmodels.saving import card
from tests.service.events.stores import NOW, record, store_in
from understudy import cli

CONTRACT = {
    "serving_default": Signature(
        "serving_default",
        (Field(name="x", dtype="float32", shape=(None,)), Field(name="who", dtype="string", shape=(None,), sensitive=True)),
        (Field(name="label", dtype="string", shape=(None,), choices=("a", "b")), Field(name="score", dtype="float32", shape=(None,))),
    ),
    "number": Signature(
        "number",
        (Field(name="x", dtype="float32", shape=(None,)),),
        (Field(name="y", dtype="float32", shape=(None,)),),
    ),
}  # fmt: skip


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    card = Card(
        name="m",
        title="M",
        task="classification",
        contract=CONTRACT,
        created_at="2026-01-01T00:00:00Z",
    )
    Store(tmp_path / "saved_models").publish("m", lambda folder: write_card(folder, card))
    # Not by MODELS: the command shows its default as it is when it is imported first.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSTUDY_EVENTS", str(tmp_path / "events.db"))
    return tmp_path / "saved_models"


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    """Three requests: of two rows, of one with a number, and one that failed."""
    store = store_in(tmp_path / "events.db")
    store.add(
        [
            record(
                "two", inputs='{"x":[1.0,2.0]}', outputs='{"label":["a","b"],"score":[0.5,1.0]}'
            ),
            record(
                "one", signature="number", instances=1, inputs='{"x":[3.5]}', outputs='{"y":[7.0]}'
            ),
            record(
                "bad",
                status=500,
                reason=Reason.ERROR,
                probability=1.0,
                inputs='{"x":[0.0,null]}',
                outputs=None,
            ),
        ]
    )
    return store


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert cli.main(["events", *arguments]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_truths_go_out_as_sagemaker_reads_them(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store.put(
        "m",
        [
            Truth("two", 0, Source.USER, {"label": "b"}),
            Truth("two", 1, Source.USER, {"label": "b", "score": 1}),
            Truth("one", 0, Source.USER, {"y": 7.25}),
        ],
    )
    written = run(capsys, "export", "m")
    assert [json.loads(line) for line in written.splitlines()] == [
        {"groundTruthData": {"data": "7.25", "encoding": "CSV"}, "eventMetadata": {"eventId": "one"}, "eventVersion": "0"},
        {"groundTruthData": {"data": "b", "encoding": "CSV"}, "eventMetadata": {"eventId": "two#0"}, "eventVersion": "0"},
        {"groundTruthData": {"data": '{"label":"b","score":1}', "encoding": "JSON"}, "eventMetadata": {"eventId": "two#1"}, "eventVersion": "0"},
    ]  # fmt: skip
    # And back, where nothing is new, and into a store without truths.
    file = tmp_path / "truths.jsonl"
    file.write_text(written)
    assert run(capsys, "import", "m", str(file)) == "Truths of m: 3 unchanged.\n"
    other = store_in(tmp_path / "other.db")
    other.add([event for event, _ in store.events("m") if event.request_id != "two"])
    assert (
        run(capsys, "import", "m", str(file), "--store", str(tmp_path / "other.db"))
        == "Truths of m: 1 stored, 2 not sampled.\n"
    )


def test_whole_numbers_come_back_unchanged(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store.put("m", [Truth("one", 0, Source.USER, {"y": 7})])
    file = tmp_path / "truths.jsonl"
    file.write_text(run(capsys, "export", "m"))
    assert run(capsys, "import", "m", str(file)) == "Truths of m: 1 unchanged.\n"


def test_truths_of_what_the_card_does_not_have_go_out_by_name(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service serves all signatures of a SavedModel, also those that no card describes."""
    store.add([record("of the graph", signature="undescribed")])
    store.put("m", [Truth("of the graph", 1, Source.USER, {"z": 7})])
    (line,) = run(capsys, "export", "m").splitlines()
    assert json.loads(line)["groundTruthData"] == {"data": '{"z":7}', "encoding": "JSON"}


@pytest.mark.parametrize("has_card", [True, False])
def test_truths_of_what_no_card_describes_come_back(
    models: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, has_card: bool
) -> None:
    """They are checked by what the SavedModel says, as over HTTP."""
    if has_card:
        publish_affine(models, model="other")
    else:
        save_affine(models / "other" / "1")
    store = store_in(tmp_path / "events.db")
    store.add([record("q", model="other", version=1, signature="only_y", instances=1)])
    store.put("other", [Truth("q", 0, Source.USER, {"y": 7.5})])
    file = tmp_path / "truths.jsonl"
    file.write_text(run(capsys, "export", "other"))
    assert run(capsys, "import", "other", str(file)) == "Truths of other: 1 unchanged.\n"
    file.write_text(file.read_text().replace("7.5", "[7.5]"))
    assert "line 1: truth.y: Expected a number" in run(capsys, "import", "other", str(file), code=1)
    store.add([record("r", model="other", version=1, signature="none", instances=1)])
    file.write_text(file.read_text().replace('"q"', '"r"'))
    assert "line 1: No version that is there has the signature 'none'" in run(
        capsys, "import", "other", str(file), code=1
    )


def test_truth_values_come_back(
    models: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    big = Field(name="big", dtype="bool", shape=(None,))
    sees = Signature("serving_default", CONTRACT["number"].inputs, (big,))
    described = card("judge", {"serving_default": sees}, task="classification")
    Store(models).publish("judge", lambda folder: write_card(folder, described))
    store = store_in(tmp_path / "events.db")
    store.add([record("q", model="judge", version=1)])
    truths = [Truth("q", row, Source.USER, {"big": bool(row)}) for row in (0, 1)]
    store.put("judge", truths)
    file = tmp_path / "truths.jsonl"
    file.write_text(run(capsys, "export", "judge"))
    labels = [json.loads(line)["groundTruthData"] for line in file.read_text().splitlines()]
    assert labels == [{"data": each, "encoding": "CSV"} for each in ("false", "true")]
    # Also as other programs write them.
    file.write_text(file.read_text().replace('"true"', '"True"'))
    assert run(capsys, "import", "judge", str(file)) == "Truths of judge: 2 unchanged.\n"


def test_an_audit_takes_the_place_of_what_a_user_says(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    (audit,) = [a for a in store.hand_out("m", 5) if a.event.request_id == "one"]
    store.put(
        "m", [Truth("one", 0, Source.USER, {"y": 1}), Truth("one", 0, Source.AUDIT, {"y": 2})]
    )
    assert audit.instance == 0
    (line,) = run(capsys, "export", "m").splitlines()
    assert json.loads(line)["groundTruthData"]["data"] == "2"


def test_requests_go_out_as_kserve_logs_them_and_come_back(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    written = run(capsys, "export", "m", "--form", "cloudevents")
    lines = [json.loads(line) for line in written.splitlines()]
    assert [(line["id"], line["type"].rpartition(".")[2]) for line in lines] == [
        ("bad", "request"),
        ("one", "request"),
        ("one", "response"),
        ("two", "request"),
        ("two", "response"),
    ]
    assert lines[3] == {
        "specversion": "1.0",
        "id": "two",
        "source": "understudy",
        "time": "1970-01-12T13:46:40+00:00",
        "datacontenttype": "application/json",
        "inferenceservicename": "m",
        "namespace": "default",
        "component": "predictor",
        "endpoint": "default",
        "modelversion": "3",
        "signature": "serving_default",
        "httpstatus": 200,
        "inclusionprobability": "0.1",
        "samplingrate": "0.1",
        "inclusionreason": "sample",
        "type": "org.kubeflow.serving.inference.request",
        "data": {"instances": [{"x": 1.0}, {"x": 2.0}]},
    }
    # Names of CloudEvents' attributes have lower-case letters and digits alone.
    assert all(key.isalnum() and key.islower() for line in lines for key in line)
    file = tmp_path / "events.jsonl"
    file.write_text(written)
    into = store_in(tmp_path / "other.db")
    into.make()
    told = run(
        capsys,
        "import",
        "m",
        str(file),
        "--form",
        "cloudevents",
        "--store",
        str(tmp_path / "other.db"),
    )
    assert told == "3 predictions of m imported; those that were there stay as they were.\n"
    assert list(into.events("m")) == list(store.events("m"))


def test_events_of_kserve_itself_are_read(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without our extensions, in any order, with what is sensitive, beside other models' events."""
    common = {"specversion": "1.0", "source": "http://localhost:9081/", "inferenceservicename": "m"}
    kind = "org.kubeflow.serving.inference."
    lines = [
        {**common, "id": "k", "type": f"{kind}response", "data": {"predictions": [{"label": "a", "score": 1}]}},
        {**common, "id": "other", "type": f"{kind}request", "inferenceservicename": "n", "data": {}},
        {**common, "id": "runs", "type": f"{kind}request", "data": {"instances": [{"x": 1}]}},
        {**common, "id": "k", "type": f"{kind}request", "time": "1970-01-12T13:46:40Z",
         "data_base64": "eyJpbnN0YW5jZXMiOiBbeyJ4IjogMSwgIndobyI6ICJBbm4ifV19"},
        {**common, "id": "x", "type": "something.else"},
    ]  # fmt: skip
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    assert run(capsys, "import", "m", str(file), "--form", "cloudevents").startswith(
        "1 predictions"
    )
    found = store.find("m", "k")
    assert (found.inputs, found.probability, found.version) == ('{"x":[1]}', 1.0, 1)
    assert found.answered_at > NOW


@pytest.mark.parametrize(
    ("form", "line", "message"),
    [
        ("ground-truth", "{}", 'line 2: expected {"groundTruthData"'),
        ("ground-truth", "[", "line 2: "),
        ("ground-truth", '{"groundTruthData": {"data": "c", "encoding": "CSV"}, "eventMetadata": {"eventId": "two#1"}}', "line 2: truth: Expected "),
        ("ground-truth", '{"groundTruthData": {"data": "many", "encoding": "CSV"}, "eventMetadata": {"eventId": "one"}}', "line 2: truth: Expected a number"),
        ("ground-truth", '{"groundTruthData": {"data": "nan", "encoding": "CSV"}, "eventMetadata": {"eventId": "one"}}', "line 2: truth: Expected a number"),
        ("ground-truth", '{"groundTruthData": {"data": "1_0", "encoding": "CSV"}, "eventMetadata": {"eventId": "one"}}', "line 2: truth: Expected a number"),
        ("ground-truth", '{"groundTruthData": {"data": "c", "encoding": "CSV"}, "eventMetadata": {"eventId": "two#x"}}', "expected a row's number after #, not 'x'."),
        ("cloudevents", "[]", "line 2: expected a CloudEvent with an id."),
    ],
)  # fmt: skip
def test_bad_lines_are_named(
    models: Path,
    store: EventStore,
    form: str,
    line: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(f"\n{line}\n")
    assert message in run(capsys, "import", "m", str(file), "--form", form, code=1)


@pytest.mark.parametrize(
    ("request_", "response", "message"),
    [
        ({"samplingrate": "0"}, {}, "expected probabilities above 0"),
        ({"samplingrate": "0.5", "inclusionprobability": "0.1"}, {}, "expected probabilities"),
        ({"modelversion": "9" * 30}, {}, "expected modelversion to be a whole number from 0 to"),
        ({"modelversion": None}, {}, "expected modelversion to be"),
        ({"httpstatus": 10**30}, {}, "expected httpstatus to be a whole number from 0 to 599"),
        ({"data": {"inputs": {"x": []}}}, {}, "expected at least one row"),
        ({"id": ""}, {"id": ""}, "expected an id of 1 to 128 printable"),
        ({"id": "a#1"}, {"id": "a#1"}, "without '#'"),
        ({"id": "a\0b"}, {"id": "a\0b"}, "expected an id of 1 to 128 printable"),
        ({"data": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}}, {}, "Open Inference Protocol"),
        ({}, {"data": {"predictions": [{"y": "seven"}]}}, 'y is "seven", not of type float32'),
        ({}, {"data": {"predictions": [{"y": [7]}]}}, "y is [7], not of type float32"),
        ({}, {"data": {"predictions": [1, 2]}}, "expected 1 answers of 'y', one a row"),
    ],
)  # fmt: skip
def test_events_that_nobody_could_judge_are_refused(
    models: Path,
    store: EventStore,
    request_: dict[str, Any],
    response: dict[str, Any],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Else audits could not be handed out any more, nor live answers be compared with the card."""
    both = {"specversion": "1.0", "id": "k", "source": "s", "signature": "number"}
    kind = "org.kubeflow.serving.inference."
    lines = [
        {**both, "type": f"{kind}response", "data": {"predictions": [7]}, **response},
        {**both, "type": f"{kind}request", "data": {"instances": [3]}, **request_},
    ]
    file = tmp_path / "bad.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    told = run(capsys, "import", "m", str(file), "--form", "cloudevents", code=1)
    assert "line 2: " in told
    assert message in told
    assert store.find("m", "k") is None


@pytest.mark.parametrize("form", ["ground-truth", "cloudevents"])
def test_what_is_stored_of_a_model_goes_out_when_its_folder_is_gone(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    store.put("m", [Truth("one", 0, Source.USER, {"y": 7.25})])
    shutil.rmtree(models / "m")
    lines = [json.loads(line) for line in run(capsys, "export", "m", "--form", form).splitlines()]
    if form == "ground-truth":
        # Which output is the label, only its contract says.
        assert [line["groundTruthData"] for line in lines] == [
            {"data": '{"y":7.25}', "encoding": "JSON"}
        ]
    else:
        assert {line["id"] for line in lines} == {"two", "one", "bad"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export"], "events export needs the model's name."),
        (["export", "m", "f"], "events import needs a file; nothing else takes one."),
        (["import", "m"], "events import needs a file; nothing else takes one."),
        (["list", "--store", "none.db"], "none.db is not there."),
        (["import", "n", "f"], "There is no model 'n'"),
        (["export", "n"], "There is no model 'n' in saved_models, and nothing of it in the store."),
    ],
)
def test_wrong_usage(
    models: Path,
    store: EventStore,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f").write_text("{}")
    assert message in run(capsys, *arguments, code=2)


def test_the_list_counts(
    models: Path, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "list").split() == ["m", "3", "predictions"]
    assert run(capsys, "list", "m").split() == ["m", "3", "predictions"]
    assert run(capsys, "list", "other").split() == ["other", "0", "predictions"]
