"""``fleet.toml``: which models a fleet trains, on which data, and where they are published.

    [defaults]              # of all trainings; optional
    task = "mpg"
    seed = 7

    [[training]]
    name = "north"
    data = "shops/north.csv"
    out = "models/north"

A training takes ``name``, ``task`` and every option that ``train --config`` reads. Paths count from
the folder in which the command is called.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import tasks
from training.errors import UsageError
from training.fitting import config
from training.fitting.config import Settings

_DEFAULTS, _TRAINING = "defaults", "training"
# A member's name becomes the name of a folder, and a label's value.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Member:
    """One training of a fleet.

    Attributes:
        name: its own name within the fleet.
        settings: of the training.
    """

    name: str
    settings: Settings


def read_fleet(path: Path) -> list[Member]:
    """Read a fleet's file.

    Raises:
        UsageError: it cannot be read, or something in it is wrong; the message names the place.
    """
    document = config.load_toml(path)
    for key in document.keys() - {_DEFAULTS, _TRAINING}:
        raise UsageError(f"{path}: unknown key {key!r}; known are {_DEFAULTS}, {_TRAINING}.")
    defaults = document.get(_DEFAULTS, {})
    _check_table(path, _DEFAULTS, defaults)
    if "name" in defaults:
        raise UsageError(f"{path}: {_DEFAULTS}.name: each training has a name of its own.")
    trainings = document.get(_TRAINING)
    if not isinstance(trainings, list) or not trainings:
        raise UsageError(f"{path}: expected at least one [[{_TRAINING}]].")
    members = []
    for number, training in enumerate(trainings):
        place = f"{_TRAINING}[{number}]"
        _check_table(path, place, training)
        members.append(_member(path, place, {**defaults, **training}))
    _check_apart(path, members)
    return members


def _check_table(path: Path, place: str, table: Any) -> None:
    """Check the keys and values of one table.

    Raises:
        UsageError: one is wrong.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {place}: expected a table, not {table!r}.")
    for key, value in table.items():
        check = _KEYS.get(key)
        if check is None:
            raise UsageError(f"{path}: {place}: unknown key {key!r}; known are {', '.join(_KEYS)}.")
        try:
            check(value)
        except ValueError as error:
            raise UsageError(f"{path}: {place}.{key} must be {error}, not {value!r}.") from error


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("letters, digits, dots, hyphens and underscores, at most 100")
    return value


def _task(value: Any) -> str:
    if value not in tasks.task_names():
        raise ValueError(f"one of {', '.join(tasks.task_names())}")
    return str(value)


# Fleets publish: that is what they are for.
_KEYS = {
    "name": _name,
    "task": _task,
    **{key: check for key, check in config.OPTIONS.items() if key != "no-publish"},
}


def _member(path: Path, place: str, values: Mapping[str, Any]) -> Member:
    for key in ("name", "task"):
        if key not in values:
            raise UsageError(f"{path}: {place}: expected a {key}.")
    task = tasks.get(values["task"])
    options = {key: value for key, value in values.items() if key in config.OPTIONS}
    try:
        settings = config.resolve(task.name, task.architectures, options, {})
    except UsageError as error:
        raise UsageError(f"{path}: {place}: {error}") from error
    return Member(values["name"], settings)


def _check_apart(path: Path, members: list[Member]) -> None:
    """Check that no two members are one.

    Raises:
        UsageError: two have one name, or publish the same model into one folder.
    """
    for name, count in Counter(member.name for member in members).items():
        if count > 1:
            raise UsageError(f"{path}: {count} trainings have the name {name!r}.")
    models: dict[tuple[Path, str], Member] = {}
    for member in members:
        model = (member.settings.out.resolve(), member.settings.model)
        other = models.setdefault(model, member)
        if other is not member:
            raise UsageError(
                f"{path}: {other.name!r} and {member.name!r} would both publish "
                f"{member.settings.model} into {member.settings.out}; give each an out of its own."
            )
