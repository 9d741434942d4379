"""Measure a published version again, beside what its card claims."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.model_card import Card, read_card
from service.repository.object_store.refreshing import current_store
from training.console.number_format import figure, flat
from training.console.progress import progress_beside, say, working
from training.console.terminal_table import print_table
from training.data.load import load_data
from training.errors import UsageError
from training.publishing import saved_model_export
from training.tasks.task_interface import Task
from training.workflows.feedback_data import data_alone_of


def evaluate(
    task: Task[Any],
    root: Path,
    version: int | None,
    named: Path | None,
    max_bad_rows: float,
    *,
    as_json: bool = False,
) -> None:
    """Measure a published version through its SavedModel, and print the figures beside its card's.

    Args:
        task: the version's.
        root: the folder of models.
        version: its number; the highest where there is none.
        named: the data to use; ``None`` for the standard data.
        max_bad_rows: the largest share of bad rows that is accepted, 0 to 1.
        as_json: print an object with ``model``, ``version``, ``measured`` and ``card``.

    Raises:
        UsageError: there is no such version, its classes are not those of the data, or it does not
            take the data's rows.
        TrainingError: the version cannot be loaded, or the data is not there.
    """
    versions = current_store(root, task.name).versions(task.name)
    if not versions:
        raise UsageError(f"There is no version of {task.name} in {root}.")
    version = max(versions) if version is None else version
    if version not in versions:
        known = ", ".join(map(str, versions))
        raise UsageError(f"{task.name} has no version {version} in {root}; it has {known}.")
    card = read_card(versions[version])
    with progress_beside(as_json):
        data = load_data(task, named, max_bad_rows).data
        _check_classes(version, card, task.classes(data))
        _check_choices(version, card, task, data)
        # The figures alone are for standard output.
        with progress_beside(True), working(f"measuring version {version} of {task.name}"):
            predict = saved_model_export.open_saved_model(versions[version])
            measured = task.measure(task.answers(data, predict))
    if card is not None and _are_other_rows(card, task, data):
        metric = measured["headline"]["name"].partition(" on ")[0]
        measured["headline"]["name"] = f"{metric} on another data set than it learned from"
    claimed = card.evaluation if card else {}
    if as_json:
        found = {"model": task.name, "version": version, "measured": measured, "card": claimed}
        say(json.dumps(found, indent=2))
    else:
        say(f"{task.name} version {version}: {measured['headline']['name']}")
        _show(measured, claimed)


def _show(measured: Mapping[str, Any], claimed: Mapping[str, Any]) -> None:
    of_card = flat(claimed)
    rows = [
        (name, figure(value), figure(of_card.get(name, "")))
        for name, value in flat(measured).items()
        if not name.startswith("headline.")
    ]
    print_table(("figure", "now", "card"), rows)
    if "per_class" in measured:
        of_classes = measured["per_class"]
        print_table(tuple(of_classes[0]), [tuple(map(figure, row.values())) for row in of_classes])


def _are_other_rows(card: Card, task: Task[Any], data: Any) -> bool:
    """Whether a task that is measured on what it learned from is measured on another data set."""
    rows = task.reference_rows(data)
    if rows is None or rows.held_out:
        return False
    known = data_alone_of(card.data)
    return known is not None and known != task.summary(data)["fingerprint"]


def _check_choices(version: int, card: Card | None, task: Task[Any], data: Any) -> None:
    """Check that the version takes the rows: its graph answers what the service refuses.

    Raises:
        UsageError: the rows have values beyond the choices of an input.
    """
    signature = None if card is None else card.contract.get(DEFAULT_SIGNATURE)
    if signature is None or not any(field.choices for field in signature.inputs):
        return
    rows = task.reference_rows(data)
    if rows is None:
        return
    for field in signature.inputs:
        values = rows.inputs[field.name].tolist() if field.choices else ()
        if odd := set(values) - set(field.choices):
            raise UsageError(
                f"Version {version} takes {field.name} {', '.join(map(str, field.choices))}; the "
                f"data has {', '.join(sorted(map(str, odd)))} as well."
            )


def _check_classes(version: int, card: Card | None, classes: Sequence[str]) -> None:
    if card is None or not classes:
        return
    for field in card.contract[DEFAULT_SIGNATURE].outputs:
        if field.choices and field.choices != tuple(classes):
            raise UsageError(
                f"Version {version} has the classes {', '.join(map(str, field.choices))}; "
                f"the data has {', '.join(classes)}."
            )
