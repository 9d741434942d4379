"""Retrains when there is new data: for cron, or any other scheduler."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.repository.model_card import read_card
from service.repository.object_store.refreshing import current_store
from service.repository.rollout_policy import RolloutRules
from training import tasks
from training.console.progress import say
from training.data.feedback.given_truths import Feedback, write_feedback
from training.data.load import Loaded, load_data
from training.errors import BusyError, NoNewDataError, RefusedError
from training.fitting import run_folder
from training.fitting.config import Settings
from training.fitting.process_lock import exclusive_lock
from training.publishing.live_version import find_live_version
from training.publishing.version_policy import version_on_trial
from training.tasks.task_interface import Task
from training.workflows import train
from training.workflows.feedback_data import data_alone_of, summary_of, with_feedback
from training.workflows.prometheus_textfile import Retrained, check_place, write_textfile
from training.workflows.refused_truths import note_refusal, refused_until
from training.workflows.resume_command import resume_command


@dataclass(frozen=True, slots=True)
class Occasion:
    """When truths are a reason to train, where a version has learned from the data itself.

    Attributes:
        after_truths: once so many of them are new; ``None`` where their number is no reason.
        harm: what audits say of the live version's answers, in a sentence; empty where that is no
            reason.
        is_harmed: whether they say that the answers are worse than the card says.
    """

    after_truths: int | None = 1
    harm: str = ""
    is_harmed: bool = False

    def is_here(self, new: int) -> bool:
        """Return whether to train, with so many new truths."""
        enough = self.after_truths is not None and new >= self.after_truths
        # Whatever is wrong, from the same truths the same would be learned.
        return enough or (self.is_harmed and new > 0)

    def waits_for(self) -> str:
        """Return what is waited for, in a sentence."""
        reasons = []
        if self.after_truths is not None:
            reasons.append(f"--after-truths waits for {self.after_truths:,}.")
        if self.harm:
            missing = "a new truth" if self.is_harmed else "worse answers"
            reasons.append(f"--after-harm waits for {missing}. {self.harm}")
        return " ".join(reasons)


_ANY_TRUTH = Occasion()
# Truths about live predictions, and when they are a reason to train unless the data has changed.
FeedbackOccasion = tuple[Feedback, Occasion]
# In the model's folder, because two must not make its next version at once.
_LOCK = ".retrain.lock"


def retrain(
    settings: Settings,
    metrics_file: Path | None,
    find_feedback: Callable[[], FeedbackOccasion] | None = None,
    *,
    rollout: RolloutRules | None = None,
) -> int:
    """Train and publish the next version if there is data that no version has learned from.

    Args:
        settings: of the training.
        find_feedback: returns what to learn from as well; ``None`` without feedback. What it raises
            ends the run, as a failure that Prometheus is told of.
        rollout: the rules by which the version is put on trial; ``None`` lets it serve at once.
        metrics_file: where to report to Prometheus; ``None`` reports nothing. It is left
            as it is when another process retrains: that one writes it.

    Returns:
        the number of the version that was published.

    Raises:
        NoNewDataError: the live version or the newest has learned from this data, or is to be tried
            out while another still is.
        RefusedError: a gate refuses the version.
        BusyError: another process retrains this model.
        UsageError: there is no folder for the metrics file, or the collector would not read it.
        TrainingError: as ``training.workflows.train.train``.
    """
    if metrics_file is not None:
        check_place(metrics_file)
    # The time of day may be set meanwhile.
    began = time.monotonic()
    outcome, version, metrics = "failed", None, dict[str, float]()
    try:
        with exclusive_lock(
            settings.out / settings.model / _LOCK, f"A retraining of {settings.model}"
        ):
            feedback, occasion = (None, _ANY_TRUTH) if find_feedback is None else find_feedback()
            _look_for_new_data(tasks.get(settings.model), settings, feedback, occasion)
            if rollout is not None:
                _await_end_of_trial(settings)
            run = run_folder.create_run_folder(
                run_folder.RUNS, dataclasses.replace(settings, publish=True)
            )
            if feedback is not None:
                write_feedback(run.feedback, feedback)
            try:
                version = train.train(run, rollout=rollout)
            except RefusedError:
                _note_refusal(settings, run.export)
                raise
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    "Interrupted; the next retraining begins anew. To continue this one: "
                    f"{resume_command(run, rollout=rollout)}"
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
            result = Retrained(
                model=settings.model,
                outcome=outcome,
                ended=time.time(),
                seconds=time.monotonic() - began,
                version=version,
                metrics=metrics,
            )
            try:
                write_textfile(metrics_file, result)
            except OSError as error:
                # What counts is how the training went; the file's age shows that it is old.
                say(f"{metrics_file} cannot be written: {error.strerror}.")


def _await_end_of_trial(settings: Settings) -> None:
    """Check that the version could be put on trial, before anything is made for it.

    Raises:
        NoNewDataError: another is on trial. A schedule has nothing to do until that has ended.
    """
    version = version_on_trial(settings.out, settings.model)
    if version is not None:
        raise NoNewDataError(
            f"Version {version} of {settings.model} is on trial: with --rollout, the next one is "
            "trained when that has ended."
        )


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


def _look_for_new_data(
    task: Task[Any],
    settings: Settings,
    feedback: Feedback | None = None,
    occasion: Occasion = _ANY_TRUTH,
) -> str:
    """Compare the data with what the live version learned from, and the newest, which may wait.

    Returns:
        the data's fingerprint.

    Raises:
        NoNewDataError: it is the same, or the truths are no reason yet.
        RefusedError: a version that learned from the same was refused.
    """
    loaded = with_feedback(task, load_data(task, settings.data, settings.max_bad_rows), feedback)
    fingerprint = summary_of(task, loaded, feedback)["fingerprint"]
    versions = current_store(settings.out, task.name).versions(task.name)
    incumbent = find_live_version(settings.out, task.name)
    known = {max(versions)} if versions else set[int]()
    if incumbent is not None:
        known.add(incumbent.version)
    learned: dict[int, Mapping[str, Any]] = {}
    for version in sorted(known, reverse=True):
        card = read_card(versions[version])
        if card is None:
            continue
        learned[version] = card.data
        # Without feedback a version that has learned from some besides knows the data itself.
        known_data = data_alone_of(card.data) if feedback is None else card.data.get("fingerprint")
        if known_data == fingerprint:
            raise NoNewDataError(
                f"There is no new data for {task.name}: version {version} has learned from it "
                f"(SHA-256 {fingerprint[:16]}...).{_unused(loaded)}"
            )
    if feedback is not None:
        own = task.summary(loaded.data)["fingerprint"]
        live = None if incumbent is None else incumbent.version
        folder = settings.out / task.name
        refused = refused_until(folder, settings, live, own, feedback.share)
        _await_occasion(task.name, own, learned, refused, feedback, occasion)
    return str(fingerprint)


def _unused(loaded: Loaded[Any]) -> str:
    """Return what became of the truths, where none of them brought anything to learn."""
    return "" if loaded.feedback is None else f" Feedback: {loaded.feedback.story()}."


def _await_occasion(
    name: str,
    own: str,
    learned: Mapping[int, Mapping[str, Any]],
    refused: float,
    feedback: Feedback,
    occasion: Occasion,
) -> None:
    """Check that the truths are a reason, where a version has learned from the data itself.

    Args:
        name: the model's.
        own: the fingerprint of the data without feedback.
        learned: what the cards of the live version and the newest say of their data.
        refused: when the last truth came that a refused version was given; 0 without one.
        feedback: the truths.
        occasion: when those that came since the versions were given theirs are a reason.

    Raises:
        NoNewDataError: there are too few new truths.
        RefusedError: from those that are, a refused version has learned in the same way.
    """
    recorded = [data.get("feedback", {}) for data in learned.values()]
    if own not in map(data_alone_of, learned.values()):
        return
    until = feedback.last_of(float(each.get("until", 0.0)) for each in recorded)
    new = feedback.new_since(until)
    if not occasion.is_here(new):
        raise NoNewDataError(
            f"There is no new data for {name}, and {new:,} truths are new: {occasion.waits_for()}"
        )
    since = feedback.new_since(feedback.last_of([until, refused]))
    if not occasion.is_here(since):
        raise RefusedError(
            f"A gate has refused what {name} learned from these truths, and {since:,} have come "
            f"since: {occasion.waits_for()}"
        )
    if occasion.is_harmed:
        say(f"{name} is retrained. {occasion.harm}")


def _note_refusal(settings: Settings, export: Path) -> None:
    """Remember the truths that a refused version was given, if it was given any."""
    card = read_card(export) if export.is_dir() else None
    if card is not None and "feedback" in card.data:
        live = find_live_version(settings.out, settings.model)
        note_refusal(
            settings.out / settings.model,
            settings,
            None if live is None else live.version,
            card.data["feedback"],
        )


def _measured(export: Path) -> dict[str, float]:
    """Return the headline of what was exported, as far as the training came."""
    card = read_card(export) if export.is_dir() else None
    if card is None:
        return {}
    headline = card.evaluation["headline"]
    return {headline["name"]: headline["value"]}
