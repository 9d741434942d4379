"""Environment variables: how a setting names its own, and how its text becomes a value."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_type_hints

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")

_PREFIX = "UNDERSTUDY_"
# Variables with the prefix that are not settings of the service: those of docker-compose.yml, and
# what a process of the service passes to its children.
_OTHERS = (
    "PUBLISH",
    "CPUS",
    "MEMORY",
    "STOP_GRACE",
    "MODELS_READ_ONLY",
    "TRAINER_",
    "RUN_FOLDER_OWNER",
)
# What Kubernetes and Docker set in every container beside a service of that name.
_LINK = re.compile(r"UNDERSTUDY_(SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_.*|NAME|ENV_.*)")


class SettingError(Exception):
    """Environment variables do not hold what their settings take; one line each."""


@dataclass(frozen=True, slots=True)
class EnvironmentVariable:
    """The environment variable of a setting.

    Attributes:
        name: the variable's name.
        help: what the setting means, for people.
        least: the smallest number allowed.
        most: the largest number allowed.
        choices: the only texts allowed; empty when any is.
        is_item: whether a text can be one of a list's; ``item`` says what such a text is.
        is_text: whether a text can be the whole value; ``text`` says what such a text is.
    """

    name: str
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    is_item: Callable[[str], bool] | None = None
    item: str = ""
    is_text: Callable[[str], bool] | None = None
    text: str = ""


def variables_of(settings: type) -> Iterator[tuple[str, Any, EnvironmentVariable]]:
    """Yield each attribute of a class of settings: its name, its kind, and its variable."""
    for name, hint in get_type_hints(settings, include_extras=True).items():
        kind, variable = get_args(hint)
        yield name, kind, variable


def unknown_variables(known: set[str], environ: Mapping[str, str]) -> list[str]:
    """Return a warning for each variable that looks like one of ``known`` but is not.

    They do not keep the service from starting: Kubernetes, for one, sets variables after the
    names of its services, such as ``UNDERSTUDY_PORT=tcp://...``.
    """
    # UNDERSTUDY_PORT is taken for a mistaken PORT.
    meant = {name.removeprefix(_PREFIX): name for name in sorted(known)}
    warnings = []
    for name in sorted(environ.keys() - known):
        own = name.upper().removeprefix(_PREFIX)
        if own == name.upper() or own.startswith(_OTHERS) or _LINK.fullmatch(name):
            continue
        if environ[name].startswith(("tcp://", "udp://")):
            continue
        close = get_close_matches(own, meant, n=1, cutoff=0.7)
        hint = f" Did you mean {meant[close[0]]}?" if close else ""
        warnings.append(f"{name} is not a setting, and has no effect.{hint}")
    return warnings


def parse(kind: Any, variable: EnvironmentVariable, text: str) -> Any:
    """Return the value that a variable's text stands for.

    Args:
        kind: the type of the setting's values.
        variable: what the setting takes.
        text: what the environment holds.

    Raises:
        SettingError: the text is no such value; it names the variable, and what it takes.
    """
    if kind is bool:
        if text.lower() not in (*_TRUE, *_FALSE):
            raise SettingError(f"{variable.name} must be true or false, not {text!r}.")
        return text.lower() in _TRUE
    if kind == Path | None:
        return Path(text)
    if variable.choices and text not in variable.choices:
        known = ", ".join(variable.choices)
        raise SettingError(f"{variable.name} must be one of {known}, not {text!r}.")
    if variable.is_text and not variable.is_text(text):
        raise SettingError(f"{variable.name}: Expected {variable.text}, not {text!r}.")
    if variable.is_item:
        items = tuple(item.strip() for item in text.split(",") if item.strip())
        for item in items:
            if not variable.is_item(item):
                raise SettingError(
                    f"{variable.name}: expected {variable.item} between commas, not {item!r}."
                )
        if not items:
            # An empty list must not count as an unset one, which may allow everything.
            raise SettingError(
                f"{variable.name}: expected {variable.item} between commas, not {text!r}."
            )
        return items
    try:
        value = kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise SettingError(f"{variable.name} must be {what}, not {text!r}.") from None
    if kind is float and not math.isfinite(value):
        raise SettingError(f"{variable.name} must be a finite number, not {text!r}.")
    if variable.least is not None and value < variable.least:
        raise SettingError(f"{variable.name} must be at least {variable.least}, not {text!r}.")
    if variable.most is not None and value > variable.most:
        raise SettingError(f"{variable.name} must be at most {variable.most}, not {text!r}.")
    return value
