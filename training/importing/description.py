"""What people say of a model that they import: its title, its classes, the units of its fields."""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.repository.json_strings import is_text
from training.errors import UsageError
from training.fitting.config import load_toml

# What stands in a signature, a query and a column alike.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What describes a model beyond its graph; every part is optional.

    Attributes:
        name: under which it is published.
        title: the model in a few words.
        description: what it does and what it is not good for.
        classes: the labels of its only output, in the order of the output's values.
        logits: whether that output holds logits, which a softmax or sigmoid turns into
            probabilities.
        input_names: names of the model's inputs, in its order, instead of its own.
        output_names: likewise of its outputs.
        sensitive: inputs and outputs that a service must not store, with commas between them;
            "none" takes all marks back, and empty keeps those of the live version.
        samples: a file of examples.
        inputs: keys of ``INPUT_KEYS``, by input.
        outputs: keys of ``OUTPUT_KEYS``, by output.
        fields: keys of ``INPUT_KEYS``, by input or output: options do not say which it is.
        place: where this was read, for messages; empty for options.
    """

    name: str = ""
    title: str = ""
    description: str = ""
    classes: tuple[str, ...] = ()
    logits: bool = False
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    sensitive: str = ""
    samples: Path | None = None
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    place: str = ""


def read_description(path: Path) -> Description:
    """Read a description from a TOML file.

    Raises:
        UsageError: the file cannot be read, or a key or value is wrong; the message names it.
    """
    found = description_of(load_toml(path), str(path))
    if found.samples is not None:
        # Beside the file, wherever the command runs.
        found = dataclasses.replace(found, samples=path.parent / found.samples)
    return found


def description_of(
    value: Mapping[str, Any], place: str = "", *, options: bool = False
) -> Description:
    """Check a description.

    Args:
        value: the attributes of ``Description``, as TOML or Python hold them.
        place: where it stands, for messages.
        options: whether messages name the options of the command instead of the attributes.

    Raises:
        UsageError: a key or value is wrong; the message names it.
    """
    try:
        checked = _checked(value, _KEYS, place)
    except UsageError as error:
        if not options:
            raise
        key, _, rest = str(error).partition(" ")
        raise UsageError(
            f"--{key.removesuffix('_names') + 's' * ('_names' in key)} {rest}"
        ) from None
    for kind, keys in (("inputs", INPUT_KEYS), ("outputs", OUTPUT_KEYS)):
        tables = checked.get(kind, {})
        for name, table in tables.items():
            if not isinstance(table, Mapping):
                raise UsageError(_wrong(place, f"{kind}.{name}", "a table", table))
        checked[kind] = {
            name: _checked(table, keys, place, f"{kind}.{name}.") for name, table in tables.items()
        }
    return Description(**checked, place=place)


def combined(file: Description, given: Description) -> Description:
    """Return what a file says, and over it what options say."""
    own = {
        item.name: getattr(given, item.name)
        for item in dataclasses.fields(Description)
        if getattr(given, item.name) and item.name not in ("inputs", "outputs", "place")
    }
    return dataclasses.replace(
        file,
        **own,
        inputs=_merged(file.inputs, given.inputs),
        outputs=_merged(file.outputs, given.outputs),
    )


def sorted_out(
    description: Description, inputs: Sequence[str], outputs: Sequence[str]
) -> Description:
    """Return a description whose ``fields`` are among its inputs and outputs.

    Args:
        description: what is said of a model.
        inputs: the names of the model's inputs.
        outputs: those of its outputs.

    Raises:
        UsageError: something is said of a name that the model does not have.
    """
    for kind, names in (("inputs", inputs), ("outputs", outputs)):
        for odd in sorted(getattr(description, kind).keys() - set(names)):
            raise UsageError(
                f"{f'{description.place}: ' if description.place else ''}{kind}.{odd}: the model "
                f"has no {kind[:-1]} of this name; it has {', '.join(names)}."
            )
    for odd in sorted(description.fields.keys() - {*inputs, *outputs}):
        raise UsageError(
            f"--unit, --bounds, --example: the model has no input or output {odd!r}; it takes "
            f"{', '.join(inputs)} and gives {', '.join(outputs)}."
        )
    of_inputs = {name: said for name, said in description.fields.items() if name in inputs}
    of_outputs = {name: said for name, said in description.fields.items() if name not in inputs}
    return dataclasses.replace(
        description,
        inputs=_merged(description.inputs, of_inputs),
        outputs=_merged(description.outputs, of_outputs),
        fields={},
    )


def _merged(
    first: Mapping[str, Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys([*first, *second])
    return {name: {**first.get(name, {}), **second.get(name, {})} for name in names}


def _checked(
    value: Mapping[str, Any], keys: Mapping[str, Callable[[Any], Any]], place: str, within: str = ""
) -> dict[str, Any]:
    checked = {}
    for key, item in value.items():
        if key not in keys:
            where = f"{place}: " if place else ""
            raise UsageError(f"{where}unknown key {within + key!r}; known are {', '.join(keys)}.")
        try:
            checked[key] = keys[key](item)
        except ValueError as error:
            raise UsageError(_wrong(place, within + key, str(error), item)) from None
    return checked


def _wrong(place: str, key: str, expected: str, value: Any) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f"{f'{place}: ' if place else ''}{key} must be {expected}, not {shown}."


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a string")
    _check_texts(value)
    return value


def _check_texts(*values: Any) -> None:
    if not all(is_text(value) for value in values if isinstance(value, str)):
        raise ValueError("in UTF-8")


def _path(value: Any) -> Path:
    if not isinstance(value, Path | str) or not str(value) or "\0" in str(value):
        raise ValueError("a path")
    return Path(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_float64(value):
        raise ValueError("a number")
    return value


def _is_float64(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # A whole number may be larger.
        return False


def _length(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number of at least 1")
    return value


def _labels(value: Any) -> tuple[str, ...]:
    items = _sequence(value)
    labels = tuple(str(item) for item in items if isinstance(item, str | int) and str(item))
    if len(labels) != len(items) or len(labels) < 2 or len(set(labels)) != len(labels):
        raise ValueError("a list of two or more different labels")
    _check_texts(*labels)
    return labels


def _names(value: Any) -> tuple[str, ...]:
    names = _sequence(value)
    right = all(isinstance(name, str) and NAME.fullmatch(name) for name in names)
    if not names or not right or len(set(names)) != len(names):
        raise ValueError("different names of letters, digits and '_' that begin with a letter")
    return tuple(names)


def _field_names(value: Any) -> str:
    names = [value] if isinstance(value, str) else _sequence(value)
    if not all(isinstance(name, str) for name in names) or not "".join(names).strip(", "):
        raise ValueError("names of inputs and outputs, or none")
    return ",".join(names)


def _choices(value: Any) -> tuple[Any, ...]:
    choices = _sequence(value)
    if not choices or not all(isinstance(choice, str | int | float) for choice in choices):
        raise ValueError("a list of strings or numbers")
    _check_texts(*choices)
    return tuple(choices)


def _texts(value: Any) -> tuple[str, ...]:
    texts = _sequence(value)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("a list of strings")
    _check_texts(*texts)
    return tuple(texts)


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _tables(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a table")
    return value


def _anything(value: Any) -> Any:
    return value


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "name": _text,
    "title": _text,
    "description": _text,
    "classes": _labels,
    "logits": _flag,
    "input_names": _names,
    "output_names": _names,
    "sensitive": _field_names,
    "samples": _path,
    "inputs": _tables,
    "outputs": _tables,
}
_MEANING: Mapping[str, Callable[[Any], Any]] = {
    "description": _text,
    "unit": _text,
    "minimum": _number,
    "maximum": _number,
}
INPUT_KEYS: Mapping[str, Callable[[Any], Any]] = {
    **_MEANING,
    "choices": _choices,
    "max_length": _length,
    "content_types": _texts,
    "nullable": _flag,
    "example": _anything,
}
OUTPUT_KEYS: Mapping[str, Callable[[Any], Any]] = {**_MEANING, "classes": _labels, "logits": _flag}
