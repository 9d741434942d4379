"""Retrains when there is new data: for cron, or any other scheduler."""

import dataclasses
import time
from pathlib import Path
from typing import Any

from service.repository.model_card import read_card
from service.repository.model_store import Store
from training import tasks
from training.console.progress import say
from training.data.load import load_data
from training.errors import BusyError, NoNewDataError, RefusedError
from training.fitting import run_folder
from training.fitting.config import Settings
from training.fitting.process_lock import exclusive_lock
from training.publishing.live_version import find_live_version
from training.tasks.task_interface import Task
from training.workflows import train
from training.workflows.prometheus_textfile import Retrained, check_place, write_textfile

# In the model's folder, because two must not make its next version at once.
_LOCK = ".retrain.lock"


def retrain(settings: Settings, metrics_file: Path | None) -> int:
    """Train and publish the next version if there is data that no version has learned from.

    Args:
        settings: of the training.
        metrics_file: where to report to Prometheus; ``None`` reports nothing. It is left
            as it is when another process retrains: that one writes it.

    Returns:
        the number of the version that was published.

    Raises:
        NoNewDataError: the live version or the newest has learned from this data.
        RefusedError: a gate refuses the version.
        BusyError: another process retrains this model.
        UsageError: there is no folder for the metrics file, or the collector would not read it.
        TrainingError: as ``training.workflows.train.train``.
    """
    if metrics_file is not None:
        check_place(metrics_file)
    began = time.time()
    outcome, version, metrics = "failed", None, dict[str, float]()
    try:
        with exclusive_lock(
            settings.out / settings.model / _LOCK, f"A retraining of {settings.model}"
        ):
            _look_for_new_data(tasks.get(settings.model), settings)
            run = run_folder.create_run_folder(
                run_folder.RUNS, dataclasses.replace(settings, publish=True)
            )
            try:
                version = train.train(run)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    "Interrupted; the next retraining begins anew. To continue this one: "
                    f"understudy train {settings.model} --resume {run.folder}"
                ) from None
            finally:
                metrics = _measured(run.export)
        assert version is not None
        outcome = "published"
        return version
    except NoNewDataError:
        outcome = "no_new_data"
        raise
    except RefusedError:
        outcome = "refused"
        raise
    except BusyError:
        metrics_file = None
        raise
    finally:
        if metrics_file is not None:
            now = time.time()
            told = Retrained(
                model=settings.model,
                outcome=outcome,
                ended=now,
                seconds=now - began,
                version=version,
                metrics=metrics,
            )
            try:
                write_textfile(metrics_file, told)
            except OSError as error:
                # What counts is how the training went; the file's age shows that it is old.
                say(f"{metrics_file} cannot be written: {error.strerror}.")


def retrain_in(runs: Path, settings: Settings) -> int:
    """Train and publish the next version if there is new data; go on with a run that broke off.

    Args:
        runs: the folder of runs. The newest there that has the same settings and data and did
            not come to an end is taken up.
        settings: of the training.

    Returns:
        the number of the version that was published.

    Raises:
        TrainingError: as ``retrain``.
    """
    with exclusive_lock(settings.out / settings.model / _LOCK, f"A retraining of {settings.model}"):
        fingerprint = _look_for_new_data(tasks.get(settings.model), settings)
        publishing = dataclasses.replace(settings, publish=True)
        run = run_folder.find_broken_off(runs, publishing, fingerprint)
        version = train.train(run or run_folder.create_run_folder(runs, publishing))
    assert version is not None
    return version


def _look_for_new_data(task: Task[Any], settings: Settings) -> str:
    """Compare the data with what the live version learned from, and the newest, which may wait.

    Returns:
        the data's fingerprint.

    Raises:
        NoNewDataError: it is the same.
    """
    loaded = load_data(task, settings.data, settings.max_bad_rows)
    fingerprint = task.summary(loaded.data)["fingerprint"]
    versions = Store(settings.out).versions(task.name)
    incumbent = find_live_version(settings.out, task.name)
    known = {max(versions)} if versions else set[int]()
    if incumbent is not None:
        known.add(incumbent.version)
    for version in sorted(known, reverse=True):
        card = read_card(versions[version])
        if card is not None and card.data.get("fingerprint") == fingerprint:
            raise NoNewDataError(
                f"There is no new data for {task.name}: version {version} has learned from it "
                f"(SHA-256 {fingerprint[:16]}...)."
            )
    return str(fingerprint)


def _measured(export: Path) -> dict[str, float]:
    """Return the headline of what was exported, as far as the training came."""
    card = read_card(export) if export.is_dir() else None
    if card is None:
        return {}
    headline = card.evaluation["headline"]
    return {headline["name"]: headline["value"]}
