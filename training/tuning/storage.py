"""Stores a tuning: an Optuna study in a database, which several machines may share.

Of SQLite by default, in ``runs/<model>/tune-<name>/study.db``. The study itself says what
it is about, so that a process that takes part needs only its location.
"""

import dataclasses
import re
import sqlite3
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from training.console.library_errors import is_of_database
from training.errors import TrainingError, UsageError
from training.fitting.config import Settings, resolve, with_chosen
from training.tasks.task_interface import Task
from training.tuning.database_restarts import outlive_restarts, patiently

# A running trial is heard of this often, and given up when it was not for so long: seconds.
BEAT_S = 20
GRACE_S = 90
# How long a writer waits for another one of the same SQLite file: seconds.
_ENGINE_OF_SQLITE = {"connect_args": {"timeout": 60}}
# Between two attempts to open a database that another process is making: seconds.
_AGAIN_S = 0.2
# Settings with which so many trials have failed are not tried again: they may be the reason.
_MOST_FAILURES = 5
_DECLARED = "declared"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FILE = "study.db"

# This package prints what happens itself.
optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True, slots=True)
class StudyLocation:
    """Where a tuning is recorded: the database, and the study's name in it."""

    url: str
    study: str

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return make_url(self.url).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file of SQLite; ``None`` where a server has the database."""
        parts = make_url(self.url)
        return Path(parts.database or "") if parts.get_backend_name() == "sqlite" else None

    def anywhere(self) -> "StudyLocation":
        """Return the same for a process in whatever folder it runs."""
        if self.file is None:
            return self
        url = make_url(self.url).set(database=str(self.file.absolute()))
        return StudyLocation(url.render_as_string(hide_password=False), self.study)


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a study is; ``finished`` ran to their end or were pruned."""

    finished: int
    running: int


def folder_of(runs: Path, model: str, name: str) -> Path:
    """Return the folder of the tuning ``name``.

    Raises:
        UsageError: it cannot be the name of a folder.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"The name of a study has letters, digits, dots, dashes and underscores; not {name!r}."
        )
    return runs / model / f"tune-{name}"


def location_of(runs: Path, model: str, name: str, storage: str | None) -> StudyLocation:
    """Return where the tuning ``name`` is recorded: in ``storage``, a URL, or in its folder.

    Raises:
        UsageError: the name or the URL is not valid.
    """
    folder = folder_of(runs, model, name)
    url = f"sqlite:///{folder / _FILE}" if storage is None else storage
    try:
        parts = make_url(url)
    except ArgumentError as error:
        raise UsageError(
            "--storage must be the URL of a database, such as "
            f"postgresql+psycopg://user:password@host/database, not {url!r}."
        ) from error
    if parts.get_backend_name() == "sqlite" and parts.database in (None, "", ":memory:"):
        raise UsageError(f"{url} is in the memory of one process: give --storage a file.")
    return StudyLocation(url, f"{model}-{name}")


def find_study_record(runs: Path, model: str, reference: str, storage: str | None) -> StudyLocation:
    """Return where a tuning of ``model`` is recorded that was begun before.

    Args:
        reference: its name, or the path of its folder or of its SQLite file.
        storage: the URL of the database that ``reference`` names a study in; ``None`` for a file.

    Raises:
        UsageError: no such study was recorded.
    """
    path = Path(reference)
    if storage is not None:
        return location_of(runs, model, reference, storage)
    if _NAME.fullmatch(reference) and (folder_of(runs, model, reference) / _FILE).is_file():
        return location_of(runs, model, reference, None)
    file = path / _FILE if path.is_dir() else path
    if not file.is_file():
        raise UsageError(
            f"There is no tuning {reference!r} of {model}: neither "
            f"{runs / model / f'tune-{reference}' / _FILE} nor {file} is there."
        )
    url = f"sqlite:///{file}"
    found = _with_database_errors(url, lambda: optuna.get_all_study_names(_storage(url)))
    names = [name for name in found if name.startswith(f"{model}-")]
    if len(names) != 1:
        raise UsageError(f"{file} holds {len(names)} studies of {model}, not one.")
    return StudyLocation(url, names[0])


def open_or_create_study(
    location: StudyLocation, mode: str, declared: Mapping[str, Any], first: Mapping[str, Any]
) -> optuna.Study:
    """Create the study, or continue it if there is one.

    Args:
        mode: "min" or "max".
        declared: what the tuning is about, JSON; a study that exists must be about the same.
        first: the settings of the first trial, so that what is found is never worse than they are;
            empty where there are none.

    Raises:
        UsageError: the study is about something else, or another program has begun it.
        TrainingError: the database cannot be used.
    """
    direction = StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
    study: optuna.Study = _with_database_errors(
        location.url,
        lambda: optuna.create_study(
            storage=_storage(location.url),
            study_name=location.study,
            direction=direction,
            load_if_exists=True,
        ),
    )
    # Its trials first: one that another process begins at this moment says what it is about before
    # it gets one.
    has_trials = bool(study.get_trials(deepcopy=False))
    before = study.user_attrs.get(_DECLARED)
    if study.directions != [direction] or (before is None and has_trials):
        raise UsageError(f"{_not_ours(location.study)}: give another --study.")
    if before is None:
        study.set_user_attr(_DECLARED, dict(declared))
        if first:
            study.enqueue_trial(dict(first), skip_if_exists=True)
        return study
    for key in declared:
        if before.get(key) != declared[key]:
            raise UsageError(
                f"The study {location.study} is about {key} {before.get(key)}, "
                f"not {declared[key]}: give another --study."
            )
    # Those that were interrupted have ended as failed before there was anybody to try them again.
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        _try_again(study, trial)
    return study


def load_study(location: StudyLocation, **how: Any) -> optuna.Study:
    """Open a study that was begun; ``how`` goes to ``optuna.load_study``.

    Raises:
        UsageError: no such study was recorded.
        TrainingError: the database cannot be used.
    """
    try:
        study: optuna.Study = _with_database_errors(
            location.url,
            lambda: optuna.load_study(
                study_name=location.study, storage=_storage(location.url), **how
            ),
        )
    except KeyError as error:
        raise UsageError(f"There is no study {location.study} in {location.shown}.") from error
    return study


def declared(study: optuna.Study) -> dict[str, Any]:
    """Return what ``open_or_create_study`` recorded as what the study is about.

    Raises:
        UsageError: another program has begun it.
    """
    value: dict[str, Any] | None = study.user_attrs.get(_DECLARED)
    if value is None:
        raise UsageError(f"{_not_ours(study.study_name)}.")
    return value


def _not_ours(name: str) -> str:
    return f"The study {name} was not begun by `understudy tune`"


def is_finished(trial: FrozenTrial) -> bool:
    """Whether it ran to its end or was pruned; one that failed is tried again by another."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def tally(study: optuna.Study) -> Tally:
    """Count trials; those of processes that have ended are given up first."""
    patiently(lambda: _give_up(study))
    trials = patiently(lambda: study.get_trials(deepcopy=False))
    return Tally(
        finished=sum(is_finished(trial) for trial in trials),
        running=sum(trial.state == TrialState.RUNNING for trial in trials),
    )


def best(study: optuna.Study) -> FrozenTrial | None:
    """Return the best trial that ran to its end; ``None`` before there is one."""
    try:
        return study.best_trial
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Winner:
    """What a tuning found to be best.

    Attributes:
        arch: the architecture that was tuned.
        chosen: what the search chose, by name.
        description: the study, the trial and its figure, in a few words.
    """

    arch: str
    chosen: Mapping[str, Any]
    description: str

    def settle(
        self, task: Task[Any], toml: Mapping[str, Any], given: Mapping[str, Any]
    ) -> Settings:
        """Settle a training's settings: command line over TOML, TOML over what was chosen.

        Raises:
            UsageError: TOML or command line name another architecture.
        """
        arch = {**toml, **given}.get("arch", self.arch)
        if arch != self.arch:
            raise UsageError(
                f"{self.description} is about the {self.arch} network, not about {arch}."
            )
        settings = resolve(task.name, task.architectures, {"arch": arch, **toml}, given)
        said = {name.replace("-", "_") for name in {**toml, **given}}
        chosen = {name: value for name, value in self.chosen.items() if name not in said}
        return dataclasses.replace(with_chosen(settings, chosen), from_study=self.description)


def winner(location: StudyLocation) -> Winner:
    """Return the best that the study has found so far.

    Raises:
        UsageError: there is no such study, or none of its trials ran to its end.
    """
    study = load_study(location)
    about = declared(study)
    trial = best(study)
    if trial is None:
        raise UsageError(f"No trial of {location.study} has finished yet.")
    count = sum(is_finished(each) for each in study.get_trials(deepcopy=False))
    return Winner(
        arch=about["arch"],
        chosen=trial.params,
        description=f"tuning {location.study}, trial {trial.number} of {count}, "
        f"{about['search']['metric']} {trial.value:.4f}",
    )


def _give_up(study: optuna.Study) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    # A process that ended between asking for a trial and beginning it left no beat to miss.
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        assert trial.datetime_start is not None
        age = time.time() - trial.datetime_start.timestamp()
        if age > GRACE_S and BEGUN not in trial.user_attrs:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            _try_again(study, trial)


def _try_again(study: optuna.Study, failed: FrozenTrial) -> None:
    """Let the next trial have the settings of one that has failed, unless another has them.

    Otherwise the sampler draws others, and the architecture's own, which are the first trial's,
    are never compared with.
    """
    settings = _settings_of(failed)
    alike = [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.number != failed.number and _settings_of(trial) == settings
    ]
    failures = 1 + sum(trial.state == TrialState.FAIL for trial in alike)
    if settings and failures == len(alike) + 1 and failures < _MOST_FAILURES:
        study.enqueue_trial(settings)


def _settings_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return what a trial tries, or is to try; nothing where the sampler is yet to draw that."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


# The attribute of a trial whose training has begun.
BEGUN = "begun"


class _Storage(RDBStorage):
    """Optuna's, which closes its connections with the study that uses it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            super().__init__(*args, **options)
        finally:
            # Also of a database that turns out to be unusable.
            if "engine" in vars(self):
                weakref.finalize(self, self.engine.dispose)

    def get_heartbeat_stale_trial_callback(self) -> Callable[[optuna.Study, FrozenTrial], None]:
        # Optuna calls it in the one process of several that gives a trial up.
        return _try_again

    # As Optuna 4 calls it.
    get_failed_trial_callback = get_heartbeat_stale_trial_callback

    def record_heartbeat(self, trial_id: int) -> None:
        # The thread that beats ends with the first error, and the trial would be given up.
        patiently(lambda: super(_Storage, self).record_heartbeat(trial_id))


def _storage(url: str) -> RDBStorage:
    sqlite = make_url(url).get_backend_name() == "sqlite"
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                opened = _Storage(
                    url,
                    engine_kwargs=_ENGINE_OF_SQLITE if sqlite else {"pool_pre_ping": True},
                    heartbeat_interval=BEAT_S,
                    grace_period=GRACE_S,
                )
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            # Another process makes the tables at this moment, or fills the first of them.
            if not isinstance(error, IntegrityError) and "already exists" not in str(error):
                raise
            time.sleep(_AGAIN_S)
        else:
            # A file does not come again.
            if not sqlite:
                outlive_restarts(opened.engine)
            return opened


def _with_database_errors(url: str, act: Any) -> Any:
    """Return what ``act`` returns, with its failures as this program's errors."""
    try:
        return act()
    except ImportError as error:
        # Optuna's own message does not say which.
        which = error.__cause__ or error
        raise TrainingError(f"The driver of the database is missing: {which}.") from error
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        raise _unusable(url, error) from error
    except KeyError:
        raise  # There is no such study: the caller knows which.
    except Exception as error:
        if not is_of_database(error):
            raise
        raise _unusable(url, error) from error


def _unusable(url: str, error: Exception) -> TrainingError:
    reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    shown = make_url(url).render_as_string(hide_password=True)
    return TrainingError(f"The database {shown} cannot be used: {reason}.")
