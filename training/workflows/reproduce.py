"""Trains a published version again from its card, and compares the metrics."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.repository.json_files import shown
from service.repository.model_card import Card, read_card
from service.repository.object_store.refreshing import current_store
from service.repository.precision import Precision
from training.console.number_format import flat
from training.console.progress import say
from training.data.load import load_data
from training.errors import NotReproducedError, TrainingError, UsageError
from training.fitting import run_folder
from training.fitting.config import Settings, check_settings
from training.publishing.provenance import git_commit, libraries
from training.tasks.task_interface import Task
from training.workflows import train


@dataclass(frozen=True, slots=True)
class ReproducedFigures:
    """How the figures of a training that was repeated compare with those of the first one.

    On one machine, with the same versions of the libraries and the same source, TensorFlow's
    operations are deterministic, and all figures are the same to the last bit. Otherwise sums
    are added in other orders, and weights differ; then the headline must lie within the 95 %
    confidence interval of the first one.

    Attributes:
        agrees: whether it does.
        sentence: what was compared, with the numbers.
    """

    agrees: bool
    sentence: str


def reproduce(task: Task[Any], root: Path, version: int, named: Path | None) -> None:
    """Train a version again into a run folder, and say whether its metrics agree.

    Args:
        task: that trained it.
        root: the folder of models.
        version: the version's number.
        named: where the data is; ``None`` searches the known places.

    Raises:
        UsageError: there is no such version.
        TrainingError: its card does not say enough, or the data is not what it learned from.
        NotReproducedError: the metrics do not agree.
    """
    card = _card(root, task.name, version)
    if "feedback" in card.data:
        raise TrainingError(
            f"Version {version} has learned from feedback as well, which is in the folder of its "
            "run alone and not in its card, so it cannot be trained again from that."
        )
    settings = settings_of(card, data=named, out=root)
    _check_headline(card)
    loaded = load_data(task, named, settings.max_bad_rows)
    now, then = task.summary(loaded.data)["fingerprint"], card.data.get("fingerprint")
    if now != then:
        raise TrainingError(
            f"{loaded.story}: this is not the data that version {version} learned from: "
            f"its fingerprint is {now}, not {then}."
        )
    for difference in changed_circumstances(card):
        say(difference)
    run = run_folder.create_run_folder(run_folder.RUNS, settings)
    train.train(run)
    repeated = read_card(run.export)
    assert repeated is not None
    agreement = compare_evaluations(card.evaluation, repeated.evaluation)
    if not agreement.agrees:
        raise NotReproducedError(f"Version {version} is not reproduced: {agreement.sentence}")
    say(f"version {version} is reproduced: {agreement.sentence}")


def settings_of(card: Card, *, data: Path | None, out: Path) -> Settings:
    """Return the settings that a version was trained with, as its card has them.

    Raises:
        TrainingError: the card lacks one that is needed, or has a value that is none of it.
    """
    given: dict[str, Any] = {"model": card.name, "data": data, "out": out, "publish": False}
    names = {field.name for field in dataclasses.fields(Settings)} - given.keys()
    recorded = {name: card.training[name] for name in names if name in card.training}
    try:
        check_settings(recorded)
    except UsageError as error:
        raise TrainingError(f"The card's training: {error}") from error
    if "init_from" in recorded:
        recorded["init_from"] = str(recorded["init_from"])
    if "precision" in recorded:
        recorded["precision"] = Precision(recorded["precision"])
    for field in dataclasses.fields(Settings):
        required = (field.default, field.default_factory) == (dataclasses.MISSING,) * 2
        if required and field.name not in given | recorded:
            raise TrainingError(f"The card has no {field.name!r} of the training.")
    return Settings(**given, **recorded)


def _check_headline(card: Card) -> None:
    """Check that there is a figure to compare with, before anything is trained.

    Raises:
        TrainingError: the card has none.
    """
    headline = card.evaluation.get("headline")
    if isinstance(headline, Mapping) and isinstance(headline.get("name"), str):
        figures = ["value", *(["low", "high"] if "low" in headline else [])]
        if all(isinstance(headline.get(name), int | float) for name in figures):
            return
    raise TrainingError(
        "The card's evaluation has no headline to compare with: it must hold a name and a value, "
        f"and low and high where it has an interval, not {shown(headline)}."
    )


def changed_circumstances(card: Card) -> list[str]:
    """Say, a sentence each, what is different now from when the version was trained."""
    said = []
    now = libraries()
    for name, then in card.libraries.items():
        if now.get(name) != then:
            said.append(f"{name} is {now.get(name, 'not here')}; it was {then}")
    commit, was = git_commit(), card.training.get("git_commit")
    if commit != was:
        said.append(f"the source is {commit or 'of no commit'}; it was {was or 'of no commit'}")
    return said


def compare_evaluations(was: Mapping[str, Any], now: Mapping[str, Any]) -> ReproducedFigures:
    """Compare the evaluations of two cards."""
    first, second = was["headline"], now["headline"]
    if first["name"] != second["name"]:
        return ReproducedFigures(
            False, f"it was measured by {first['name']}, now by {second['name']}."
        )
    old, new = _figures(was), _figures(now)
    shared = old.keys() & new.keys()
    other = sum(old[name] != new[name] for name in shared)
    if not other:
        return ReproducedFigures(True, f"all {len(shared)} figures are the same to the last bit.")
    text = f"{first['name']} was {first['value']:.6f} and is {second['value']:.6f}"
    if "low" not in first:
        return ReproducedFigures(
            False, f"{text}; the card has no confidence interval to allow for that."
        )
    within = first["low"] <= second["value"] <= first["high"]
    return ReproducedFigures(
        within,
        f"{text}, {'within' if within else 'outside'} the 95 % confidence interval "
        f"{first['low']:.4f} to {first['high']:.4f}; {other} of {len(shared)} figures differ.",
    )


def _figures(evaluation: Mapping[str, Any]) -> dict[str, float]:
    figures = flat(evaluation)
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def _card(root: Path, model: str, version: int) -> Card:
    versions = current_store(root, model).versions(model)
    if version not in versions:
        known = ", ".join(map(str, versions)) or "none"
        raise UsageError(f"{model} has no version {version} in {root}; it has {known}.")
    card = read_card(versions[version])
    if card is None:
        raise TrainingError(f"Version {version} of {model} has no card to train it again from.")
    return card
