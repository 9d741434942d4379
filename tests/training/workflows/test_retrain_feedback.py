"""Retraining on what clients sent: a real store, real trainings, the gates and the card."""

import json
import random
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.events.event_records import EventRecord
from service.events.event_store import EventStore
from service.events.feedback_records import Source, Truth
from service.events.sampling import Reason
from service.events.sqlite_database import SqliteDatabase
from service.repository.model_card import CARD, Card, read_card
from service.repository.model_policy import read_policy
from service.repository.model_store import Store
from tests.owndata import CAR_HEADER, cars, sentences, write_csv
from tests.service.events.stores import record
from training import tasks
from training.data.feedback.given_truths import read_feedback
from training.errors import RefusedError
from training.evaluation.out_of_fold import read_errors
from training.fitting.run_folder import Run
from training.publishing.learned_feedback import LEARNED, read_learned
from training.tasks.task_interface import Task
from training.workflows import train
from understudy import cli

pytestmark = pytest.mark.usefixtures("without_rivals")

COMMAND = ["retrain", "mpg", "--data", "cars.csv", "--out", "models", "--arch", "tutorial"]
QUICK = ["--epochs", "20", "--learning-rate", "0.01"]
FEEDBACK = [*COMMAND, *QUICK, "--feedback", "--store", "events.db"]
DAY = 24 * 3600.0
INPUTS = CAR_HEADER[3:]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNDERSTUDY_EVENTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_csv(tmp_path / "cars.csv", CAR_HEADER, cars(120))


@pytest.fixture(scope="module")
def _models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models; version 1 of mpg has learned from the cars alone."""
    folder = tmp_path_factory.mktemp("trained")
    write_csv(folder / "cars.csv", CAR_HEADER, cars(120))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr(type(tasks.get("mpg")), "baselines", Task.baselines)
        assert cli.main([*COMMAND, *QUICK]) == 0
    return folder / "models"


@pytest.fixture
def _version_1(_folder: None, _models: Path) -> None:
    shutil.copytree(_models, "models")


class Traffic:
    """A store as services fill it, at times that a test sets."""

    def __init__(self) -> None:
        self.now = time.time()
        self.store = EventStore(SqliteDatabase(Path("events.db")), clock=lambda: self.now)
        self._random = random.Random(5)
        self._count = 0

    def tell(self, count: int, source: Source, *, days_ago: float, wrong: float = 0.0) -> list[str]:
        """Store requests of one car each, and what is true of them, as the made cars have it."""
        self.now = time.time() - days_ago * DAY
        ids = [self._ask(source) for _ in range(count)]
        if source is Source.AUDIT:
            handed = self.store.hand_out("mpg", count)
            assert {audit.event.request_id for audit in handed} == set(ids)
        truths = []
        for each in ids:
            event = self.store.find("mpg", each)
            assert event is not None
            mpg = 60_000 / json.loads(event.inputs)["weight"][0] + wrong
            truths.append(Truth(each, 0, source, {"mpg": round(mpg, 1)}))
        self.store.put("mpg", truths)
        return ids

    def _ask(self, source: Source) -> str:
        self._count += 1
        car = {
            "cylinders": [float(self._random.choice([4, 6, 8]))],
            "displacement": [float(self._random.randint(80, 400))],
            "horsepower": [None],
            "weight": [float(self._random.randint(1800, 4800))],
            "acceleration": [self._random.randint(10, 22) + 0.5],
            "model_year": [float(self._random.randint(71, 81))],
            "origin": [self._random.choice(["usa", "korea"])],
        }
        # Only those that were sampled at the rate of all are handed out as audits.
        reason = Reason.SAMPLE if source is Source.AUDIT else Reason.UNSURE
        name = f"order-{self._count:04}"
        self.store.add([_record(name, self.now, car, reason)])
        return name


def _record(request_id: str, now: float, inputs: dict[str, Any], reason: Reason) -> EventRecord:
    return record(
        request_id,
        model="mpg",
        answered_at=now,
        version=1,
        instances=1,
        reason=reason,
        inputs=json.dumps(inputs),
        outputs='{"mpg":[20.0]}',
    )


def card_of(version: int) -> Card:
    card = read_card(Path("models/mpg") / str(version))
    assert card is not None
    return card


def outcome(card: Card, gate: str) -> dict[str, Any]:
    (found,) = [each for each in card.training["gates"]["outcomes"] if each["gate"] == gate]
    return dict(found)


@pytest.mark.usefixtures("_version_1")
def test_truths_are_learned_judged_told_and_remembered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "feedback" not in card_of(1).data
    assert not (Path("models/mpg/1") / LEARNED).exists()

    traffic = Traffic()
    traffic.tell(20, Source.AUDIT, days_ago=20)
    traffic.tell(12, Source.USER, days_ago=2)
    (unfit,) = traffic.tell(1, Source.USER, days_ago=2, wrong=-1e6)
    traffic.tell(60, Source.AUDIT, days_ago=1)
    capsys.readouterr()
    assert cli.main([*FEEDBACK, "--after-truths", "94"]) == 4
    assert capsys.readouterr().err == (
        "There is no new data for mpg, and 93 truths are new: --after-truths waits for 94.\n"
    )
    assert cli.main([*FEEDBACK, "--after-truths", "93", "--rollout"]) == 0
    printed = capsys.readouterr().out
    assert "feedback: 13 of source user, 80 of source audit; " in printed
    assert f"  {unfit}, row 0: mpg must be a number above 0, not '-9" in printed

    told = card_of(2).data["feedback"]
    assert told["truths"] == {"user": 13, "audit": 80}
    assert (told["unfit"], told["held_for_gate"], told["in_data"]) == (1, 60, 0)
    assert told["learned"] + told["over_limit"] + told["reserved"] == 32
    assert told["learned"] == sum(told["learned_of"].values()) > 15
    assert told["data_fingerprint"] == card_of(1).data["fingerprint"]
    assert card_of(2).data["fingerprint"] != told["data_fingerprint"]
    assert told["until"] == pytest.approx(traffic.now)
    assert len(read_learned(Path("models/mpg/2"))) == told["learned"]
    # What users volunteer, and audits that are learned from, do not measure.
    errors = read_errors(Path("models/mpg/2"))
    assert errors is not None
    assert len(errors) == 120
    audits = outcome(card_of(2), "audits")
    assert audits["passed"]
    assert (audits["figures"]["audits"], audits["figures"]["metric"]) == (60, "MAE")
    assert {"live", "new", "difference", "interval", "p"} <= audits["figures"].keys()
    rollout = read_policy(Path("models/mpg")).rollout
    assert rollout is not None
    assert (rollout.leading, rollout.candidate) == (1, 2)

    # Truths that were used are not new again; a later one is.
    assert cli.main(FEEDBACK) == 4
    assert "version 2 has learned from it" in capsys.readouterr().err
    traffic.tell(3, Source.USER, days_ago=0)
    assert cli.main([*FEEDBACK, "--after-truths", "4"]) == 4
    assert "and 3 truths are new: --after-truths waits for 4.\n" in capsys.readouterr().err

    # What version 1 answered, which still leads, was worse than it claims; then 3 are enough.
    def refuse(*_: object, **__: object) -> None:
        raise RefusedError("This is trained in other tests.")

    monkeypatch.setattr(train, "train", refuse)
    assert cli.main([*FEEDBACK, "--after-truths", "4", "--after-harm"]) == 3
    said = capsys.readouterr().out
    assert "mpg is retrained. Over the last 80 audits the mean absolute error is " in said
    assert "Live answers are worse than the card says, by more than " in said


@pytest.mark.usefixtures("_version_1")
def test_a_schedule_without_feedback_does_not_undo_what_one_with_it_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("models/mpg/1/assets.extra/card.json")
    card = json.loads(path.read_text())
    own = card["data"]["fingerprint"]
    card["data"] |= {"fingerprint": "of both", "feedback": {"data_fingerprint": own}}
    path.write_text(json.dumps(card))

    def refuse(*_: object, **__: object) -> None:
        raise RefusedError("It is trained.")

    monkeypatch.setattr(train, "train", refuse)
    assert cli.main([*COMMAND, *QUICK]) == 4
    assert capsys.readouterr().err == (
        f"There is no new data for mpg: version 1 has learned from it (SHA-256 {own[:16]}...).\n"
    )
    write_csv(Path("cars.csv"), CAR_HEADER, cars(121))
    assert cli.main([*COMMAND, *QUICK]) == 3


@pytest.mark.usefixtures("_version_1")
def test_a_version_that_errs_on_audits_is_refused_and_can_be_forced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    traffic = Traffic()
    # What users said of all cars is far off; what was asked for at random is not.
    traffic.tell(250, Source.USER, days_ago=9, wrong=60.0)
    traffic.tell(80, Source.AUDIT, days_ago=1)
    capsys.readouterr()
    assert cli.main([*FEEDBACK, "--feedback-share", "0.6"]) == 3
    failed = capsys.readouterr()
    assert "Worse than live version 1 on 80 audits of the last week" in failed.out + failed.err
    assert list(Store(Path("models")).versions("mpg")) == [1]
    # The run has its truths with it.
    (run,) = [path.parent for path in Path("runs/mpg").glob("*/feedback.json")]
    Path("events.db").unlink()
    assert cli.main(["train", "mpg", "--resume", str(run), "--force"]) == 0
    assert not outcome(card_of(2), "audits")["passed"]


@pytest.mark.usefixtures("_version_1")
def test_few_audits_claim_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    traffic = Traffic()
    traffic.tell(12, Source.USER, days_ago=2)
    traffic.tell(5, Source.AUDIT, days_ago=1)
    capsys.readouterr()
    # The store has seventeen truths; that nobody knows whether answers are worse is no reason.
    assert cli.main([*FEEDBACK, "--after-harm"]) == 4
    assert capsys.readouterr().err.startswith(
        "There is no new data for mpg, and 17 truths are new: --after-harm waits for worse "
        "answers. Over the last 5 audits the mean absolute error is "
    )
    assert cli.main(FEEDBACK) == 0
    said = "5 audits of the last week that neither version learned from; at least 50 are needed"
    assert said in capsys.readouterr().out
    assert outcome(card_of(2), "audits")["figures"] == {"audits": 5}


def test_texts_are_learned_and_validated_with(tmp_path: Path) -> None:
    labels = ["ham", "spam"]
    write_csv(tmp_path / "texts.csv", ["text", "label"], [*sentences(300, labels)])
    store = EventStore(SqliteDatabase(Path("events.db")), clock=lambda: 5.0)
    said = {f"a{n}": f"free prize dinner {n}" for n in range(40)}
    for name, text in said.items():
        inputs = {"text": [text]}
        store.add([replace(_record(name, 5.0, inputs, Reason.SAMPLE), model="sentiment")])
    assert len(store.hand_out("sentiment", 40)) == 40
    store.put("sentiment", [Truth(name, 0, Source.AUDIT, {"label": "ham"}) for name in said])
    command = ["retrain", "sentiment", "--data", "texts.csv", "--out", "models", "--epochs", "1"]
    assert cli.main([*command, "--feedback", "--store", "events.db"]) == 0
    card = read_card(Path("models/sentiment/1"))
    assert card is not None
    told = card.data["feedback"]
    assert told["validated"] > 0
    assert told["learned"] + told["validated"] + told["reserved"] == 40
    assert (card.data["train"], card.data["test"]) == (256, 44)
    assert card.evaluation["examples"] == 44


@pytest.mark.parametrize("text", ["not a database" * 100, ""])
def test_a_store_that_is_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("events.db").write_text(text)
    code = cli.main(FEEDBACK)
    told = capsys.readouterr()
    if text:
        assert code == 1
        assert told.err == "events.db cannot be used: file is not a database.\n"
    else:
        # An empty file is an empty store: the cars alone are learned from.
        assert "feedback: 0 of source user, 0 of source audit" in told.out


def test_a_locked_store_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Traffic().tell(1, Source.USER, days_ago=0)
    monkeypatch.setattr("service.events.sqlite_database._BUSY_S", 0.0)
    monkeypatch.setattr(SqliteDatabase.__init__, "__kwdefaults__", {"busy_s": 0.0})
    holder = sqlite3.connect("events.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert cli.main(FEEDBACK) == 1
    finally:
        holder.close()
    assert capsys.readouterr().err == "events.db cannot be used: database is locked.\n"


def test_a_store_of_another_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Traffic().store.make()
    with closing(sqlite3.connect("events.db", isolation_level=None)) as store:
        store.execute("UPDATE understudy_store SET format = 99")
    assert cli.main(FEEDBACK) == 1
    assert "events.db has tables of format 99, not 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("location", "code", "sentence"),
    [
        ("gone.db", 2, "gone.db is not there."),
        ("folder", 1, "folder "),
        ("redis://host/0", 1, "Expected the path of a file, or a URL such as "),
        (
            "postgresql+psycopg://u:secret@127.0.0.1:1/d?connect_timeout=2",
            1,
            "postgresql+psycopg://u:***@127.0.0.1:1/d?connect_timeout=2 cannot be used: ",
        ),
    ],
)
def test_prometheus_is_told_of_a_store_that_cannot_be_read(
    location: str, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    told = Path("mpg.prom")
    store = ["--feedback", "--store", location]
    assert cli.main([*COMMAND, *store, "--metrics-file", str(told)]) == code
    assert capsys.readouterr().err.startswith(sentence)
    failed = 'understudy_retrain_outcome{model="mpg",outcome="failed"} 1.0'
    assert failed in told.read_text().splitlines()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--feedback"], "Which store? Give --store, or set UNDERSTUDY_EVENTS."),
        (["--feedback", "--store", "none.db"], "none.db is not there."),
        (["--store", "events.db"], "--store, --after-truths, --after-harm and"),
        (["--after-harm"], "--store, --after-truths, --after-harm and --feedback-share go with"),
        (["--after-truths", "3"], "--store, --after-truths, --after-harm and"),
        (["--feedback", "--after-truths", "0"], "--after-truths must be a whole number"),
        (["--feedback", "--feedback-share", "0.95"], "--feedback-share"),
        (["--feedback", "--feedback-share", "nan"], "--feedback-share: nan is not a finite number"),
    ],
)
def test_wrong_usage(options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*COMMAND, *options]) == 2
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.usefixtures("toy")
def test_a_task_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    EventStore(SqliteDatabase(Path("events.db"))).make()
    options = ["--data", "data", "--out", "models", "--feedback", "--store", "events.db"]
    assert cli.main(["retrain", "toy", *options]) == 2
    assert capsys.readouterr().err.startswith("toy cannot learn from feedback: ")


def no_training(*_: object, **__: object) -> None:
    raise RefusedError("This is trained in other tests.")


@pytest.mark.usefixtures("_version_1")
def test_a_schedule_waits_for_the_end_of_a_trial(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Audits go on to say that the champion is bad, and truths come all the time."""
    monkeypatch.setattr(train, "train", no_training)
    shutil.copytree("models/mpg/1", "models/mpg/2")
    trial = ["serve-policy", "mpg", "--out", "models"]
    assert cli.main([*trial, "--versions", "1"]) == 0
    assert cli.main([*trial, "--rollout", "2"]) == 0
    traffic = Traffic()
    traffic.tell(80, Source.AUDIT, days_ago=20)
    capsys.readouterr()
    schedule = [*FEEDBACK, "--after-harm", "--rollout", "--metrics-file", "mpg.prom"]
    for _ in range(2):
        assert cli.main(schedule) == 4
        assert capsys.readouterr().err == (
            "Version 2 of mpg is on trial: with --rollout, the next one is trained when that has "
            "ended.\n"
        )
        traffic.tell(1, Source.USER, days_ago=0)
    told = Path("mpg.prom").read_text()
    assert 'understudy_retrain_outcome{model="mpg",outcome="no_new_data"} 1.0' in told
    # What clients sent is not written down each time.
    assert not Path("runs/mpg").exists()
    assert cli.main(["rollback", "mpg", "--out", "models"]) == 0
    assert cli.main(schedule) == 3


@pytest.mark.usefixtures("_version_1")
def test_harm_is_that_of_the_version_that_serves_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the mirror of an object store was brought up to date before it did."""
    monkeypatch.setattr(train, "train", no_training)
    shutil.copytree("models", "bucket")
    Traffic().tell(80, Source.AUDIT, days_ago=20)
    schedule = [*FEEDBACK, "--out", f"file://{tmp_path}/bucket", "--after-harm"]
    assert cli.main(schedule) == 3
    shutil.copytree("models/mpg/1", "bucket/mpg/2")
    capsys.readouterr()
    assert cli.main(schedule) == 4
    assert "No audit of this version's answers is known yet" in capsys.readouterr().err


@pytest.mark.usefixtures("_version_1")
def test_truths_of_which_a_version_was_refused_are_no_reason_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schedule would train the same all day long."""
    trained: list[Run] = []

    def refused(run: Run, **_: Any) -> None:
        trained.append(run)
        shutil.copytree("models/mpg/1", run.export)
        path = run.export / CARD
        card = json.loads(path.read_text())
        feedback = read_feedback(run.feedback)
        assert feedback is not None
        card["data"]["feedback"] = {
            "data_fingerprint": card["data"]["fingerprint"],
            "largest_share": feedback.share,
            "until": feedback.last_of(each.given_at for each in feedback.truths),
        }
        path.write_text(json.dumps(card))
        raise RefusedError("It is worse.")

    monkeypatch.setattr(train, "train", refused)
    traffic = Traffic()
    traffic.tell(80, Source.AUDIT, days_ago=20)
    schedule = [*FEEDBACK, "--after-harm"]
    for _ in range(3):
        capsys.readouterr()
        assert cli.main(schedule) == 3
    assert capsys.readouterr().err.startswith(
        "A gate has refused what mpg learned from these truths, and 0 have come since: "
        "--after-harm waits for a new truth. Over the last 80 audits the mean absolute error is "
    )
    assert len(trained) == 1
    # With other settings it may pass, and so it may with more truths.
    for other in (["--seed", "7"], ["--feedback-share", "0.2"], []):
        assert cli.main([*schedule, *other]) == 3
    assert len(trained) == 4
    traffic.tell(1, Source.USER, days_ago=0)
    for _ in range(2):
        assert cli.main(schedule) == 3
    assert len(trained) == 5
    # A file that is none is none.
    Path("models/mpg/.retrain.json").write_text("[")
    assert cli.main(schedule) == 3
    assert len(trained) == 6
