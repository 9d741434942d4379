"""The record of a tuning: where it is found, what it refuses, what its winner is."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from tests.training.process import TrainingProcess
from tests.training.tiny import Tiny
from tests.training.tuning.lost_databases import overwritten, removed, without_tables
from training.console.library_errors import sentence_of
from training.errors import TrainingError, UsageError
from training.tuning import storage
from training.tuning.storage import StudyLocation
from understudy import cli
from understudy.commands import list as listing

SEARCH = Tiny.architectures["default"].search
assert SEARCH is not None
ABOUT: dict[str, Any] = {"model": "tiny", "arch": "default", "search": SEARCH.to_json()}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "tiny" / "tune-first").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def location(runs: Path) -> StudyLocation:
    return storage.location_of(runs, "tiny", "first", None)


@contextmanager
def another_program(location: StudyLocation) -> Iterator[RDBStorage]:
    """Open the database as any program that uses Optuna."""
    opened = RDBStorage(location.url)
    yield opened
    opened.engine.dispose()


def add(study: optuna.Study, rate: float, value: float | None, state: TrialState) -> None:
    study.add_trial(
        create_trial(
            params={"learning_rate": rate},
            distributions={"learning_rate": FloatDistribution(0, 1)},
            value=value,
            state=state,
        )
    )


def test_the_winner_settles_what_nobody_else_says(location: StudyLocation) -> None:
    study = storage.open_or_create_study(location, "min", ABOUT, {})
    for rate, value in ((0.3, 2.0), (0.2, 1.0), (0.1, 3.0)):
        add(study, rate, value, TrialState.COMPLETE)
    add(study, 0.9, 0.5, TrialState.PRUNED)
    add(study, 0.9, None, TrialState.FAIL)
    won = storage.winner(location)
    assert won.description == "tuning tiny-first, trial 1 of 4, val_mae 1.0000"
    settings = won.settle(Tiny(), {}, {})
    assert (settings.learning_rate, settings.batch_size) == (0.2, 8)
    assert settings.from_study == won.description
    assert won.settle(Tiny(), {}, {"learning-rate": 0.7}).learning_rate == 0.7
    assert won.settle(Tiny(), {"learning-rate": 0.6}, {}).learning_rate == 0.6
    with pytest.raises(UsageError, match="is about the default network, not about other"):
        won.settle(Tiny(), {"arch": "other"}, {})


def test_two_machines_begin_a_study_at_once(
    location: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes, trials = optuna.Study.user_attrs.fget, optuna.Study.get_trials

    def begin_elsewhere(study: optuna.Study) -> None:
        monkeypatch.undo()
        other = storage.open_or_create_study(location, "min", ABOUT, {"learning_rate": 0.1})
        assert other.study_name == study.study_name

    def slow_attributes(study: optuna.Study) -> Any:
        found = attributes(study)
        begin_elsewhere(study)
        return found

    def slow_trials(study: optuna.Study, *given: Any, **named: Any) -> Any:
        found = trials(study, *given, **named)
        begin_elsewhere(study)
        return found

    for name, slow in (("user_attrs", property(slow_attributes)), ("get_trials", slow_trials)):
        monkeypatch.setattr(optuna.Study, name, slow)
        study = storage.open_or_create_study(location, "min", ABOUT, {"learning_rate": 0.1})
        assert storage.declared(study) == ABOUT
        with another_program(location) as opened:
            optuna.delete_study(study_name=study.study_name, storage=opened)


def test_a_study_is_found_by_name_folder_and_file(runs: Path, location: StudyLocation) -> None:
    storage.open_or_create_study(location, "min", ABOUT, {})
    folder = runs / "tiny" / "tune-first"
    for reference in ("first", str(folder), str(folder / "study.db")):
        assert (
            storage.load_study(storage.find_study_record(runs, "tiny", reference, None)).study_name
            == "tiny-first"
        )
    assert storage.find_study_record(runs, "tiny", "first", location.url) == location


def test_what_is_not_there(runs: Path, location: StudyLocation) -> None:
    with pytest.raises(UsageError, match="There is no tuning 'second' of tiny: neither"):
        storage.find_study_record(runs, "tiny", "second", None)
    assert not (runs / "tiny" / "tune-first" / "study.db").exists()
    with pytest.raises(UsageError, match="There is no study tiny-first in sqlite:"):
        storage.load_study(location)
    storage.open_or_create_study(location, "min", ABOUT, {})
    with pytest.raises(UsageError, match="holds 0 studies of mpg, not one"):
        storage.find_study_record(runs, "mpg", str(runs / "tiny" / "tune-first"), None)
    with pytest.raises(UsageError, match="No trial of tiny-first has finished yet"):
        storage.winner(location)


def test_a_study_is_about_one_thing(location: StudyLocation) -> None:
    storage.open_or_create_study(location, "min", ABOUT, {})
    storage.open_or_create_study(location, "min", ABOUT, {})
    with pytest.raises(UsageError, match="is about arch default, not other: give another --study"):
        storage.open_or_create_study(location, "min", ABOUT | {"arch": "other"}, {})


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_names_that_are_none(runs: Path, name: str) -> None:
    with pytest.raises(UsageError, match="The name of a study has letters, digits"):
        storage.location_of(runs, "tiny", name, None)


def test_databases_that_cannot_be_used(runs: Path) -> None:
    with pytest.raises(UsageError, match="--storage must be the URL of a database"):
        storage.location_of(runs, "tiny", "x", "no url")
    for memory in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(UsageError, match="is in the memory of one process"):
            storage.location_of(runs, "tiny", "x", memory)
    missing = storage.location_of(runs, "tiny", "x", "postgresql+pg8000://me:secret@localhost/db")
    with pytest.raises(TrainingError, match="is missing: No module named 'pg8000'"):
        storage.open_or_create_study(missing, "min", ABOUT, {})
    nowhere = storage.location_of(runs, "tiny", "x", f"sqlite:///{runs}/none/study.db")
    with pytest.raises(TrainingError, match=r"cannot be used: .*unable to open database file"):
        storage.open_or_create_study(nowhere, "min", ABOUT, {})


def damaged(location: StudyLocation, *statements: str) -> StudyLocation:
    """Begin a study with a trial, and change its tables as another program may have."""
    add(storage.open_or_create_study(location, "min", ABOUT, {}), 0.1, 1.0, TrialState.COMPLETE)
    with closing(
        sqlite3.connect(location.url.removeprefix("sqlite:///"), isolation_level=None)
    ) as connection:
        for statement in statements:
            connection.execute(statement)
    return location


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE alembic_version SET version_num = 'v3.0.0.a'", "no longer compatible"),
        ("UPDATE alembic_version SET version_num = 'v9.9.9.z'", "no longer compatible"),
        ("DELETE FROM alembic_version", ""),
        ("DROP TABLE trials", ""),
        ("DROP TABLE alembic_version", ""),
        ("ALTER TABLE studies RENAME COLUMN study_name TO title", ""),
        ("UPDATE study_user_attributes SET value_json = '{'", ""),
    ],
)
@pytest.mark.parametrize("way", ["create", "winner", "find"])
def test_tables_of_another_version_of_optuna(
    runs: Path, location: StudyLocation, statement: str, words: str, way: str
) -> None:
    """A sentence, or the study itself where Optuna can go on with it; no other error."""
    damaged(location, statement)
    if words == "no longer compatible":
        # What Optuna may not go on with.
        with pytest.raises(TrainingError, match=rf"\.db cannot be used: .*{words}"):
            use(runs, location, way)
    else:
        try:
            use(runs, location, way)
        except TrainingError:
            pass
        except Exception as error:
            # Told where all failures from anywhere are.
            assert sentence_of(error), repr(error)


def use(runs: Path, location: StudyLocation, way: str) -> None:
    match way:
        case "create":
            storage.open_or_create_study(location, "min", ABOUT, {})
        case "winner":
            storage.winner(location)
        case _:
            (runs / "elsewhere.db").symlink_to(location.url.removeprefix("sqlite:///"))
            storage.find_study_record(runs, "tiny", str(runs / "elsewhere.db"), None)


def test_a_study_of_another_program(location: StudyLocation) -> None:
    with another_program(location) as opened:
        study = optuna.create_study(storage=opened, study_name=location.study, direction="minimize")
        add(study, 0.1, 1.0, TrialState.COMPLETE)
    for act in (
        lambda: storage.winner(location),
        lambda: storage.open_or_create_study(location, "min", ABOUT, {}),
    ):
        with pytest.raises(UsageError, match="tiny-first was not begun by `understudy tune"):
            act()


def test_a_study_that_seeks_something_else(location: StudyLocation) -> None:
    with another_program(location) as opened:
        optuna.create_study(storage=opened, study_name=location.study, directions=["minimize"] * 2)
    with pytest.raises(UsageError, match="was not begun by"):
        storage.open_or_create_study(location, "min", ABOUT, {})
    storage.open_or_create_study(StudyLocation(location.url, "tiny-other"), "max", ABOUT, {})
    with pytest.raises(UsageError, match="was not begun by"):
        storage.open_or_create_study(StudyLocation(location.url, "tiny-other"), "min", ABOUT, {})


def test_a_study_that_is_removed_in_the_midst_of_it(
    location: StudyLocation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = storage.open_or_create_study(location, "min", ABOUT, {})

    def go_on(**_: object) -> None:
        with another_program(location) as opened:
            optuna.delete_study(study_name=location.study, storage=opened)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)

    monkeypatch.setattr(listing.command, "callback", go_on)
    assert cli.main(["list"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("The database of the study is not as this version of Optuna needs it:")
    assert told.count("\n") == 1


# The trial's heart beats beside it, and may meet the same.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("happens", "words"),
    [(removed, "readonly"), (without_tables, "no such table"), (overwritten, "")],
)
def test_a_database_that_is_gone_in_the_midst_of_a_trial(
    happens: Callable[[Path], None],
    words: str,
    location: StudyLocation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Optuna fails over it by errors of its own, which tell nothing."""
    study = storage.open_or_create_study(location, "min", ABOUT, {})

    def objective(_: optuna.Trial) -> float:
        happens(Path(location.url.removeprefix("sqlite:///")))
        return 1.0

    def go_on(**_: object) -> None:
        study.optimize(objective, n_trials=1)

    monkeypatch.setattr(listing.command, "callback", go_on)
    assert cli.main(["list"]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("The database of the study cannot be used: ")
    assert words in told


def test_a_password_is_not_shown() -> None:
    location = StudyLocation("postgresql://me:secret@localhost/db", "x")
    assert location.shown == "postgresql://me:***@localhost/db"


def test_a_trial_that_never_began_is_given_up(
    location: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = storage.open_or_create_study(location, "min", ABOUT, {})
    with pytest.warns(UserWarning, match="Heartbeat"):  # that is the point: it has no beat
        study.ask()
    assert storage.tally(study) == storage.Tally(finished=0, running=1)
    monkeypatch.setattr(storage, "GRACE_S", -1)
    assert storage.tally(study) == storage.Tally(finished=0, running=0)


def test_processes_that_begin_a_study_at_once(location: StudyLocation, tmp_path: Path) -> None:
    script = (
        "import sys; from training.tuning import storage; "
        "where = storage.StudyLocation(sys.argv[1], 'tiny-first'); "
        "storage.open_or_create_study(where, 'min', {}, {})"
    )
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        folder.mkdir()
    command = ["-c", script, location.url]
    processes = [TrainingProcess(*command, cwd=folder, logs=folder) for folder in folders]
    assert [process.wait(120) for process in processes] == [0] * 4
