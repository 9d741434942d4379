"""``import``: publish a model that was trained elsewhere."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from service.repository.model_store import check_model_name
from training.console.native_stderr import silent_stderr
from training.errors import UsageError
from training.fitting import config as training_config
from training.importing.description import Description, combined, description_of, read_description
from training.importing.source_path import check_source
from understudy.help import PUBLISHED, Command, Option
from understudy.options import ModelsFolder
from understudy.parameter_types import PathName

_MEANING, _FIELDS, _RESULT = "What it is", "Its inputs and outputs", "The result"


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="publish a Keras model or a SavedModel of your own",
    examples={
        "import churn.keras --name churn": "publish it; a running service serves it",
        "import churn.keras --name churn --samples rows.csv --classes no,yes": (
            "with golden examples and the names of its classes"
        ),
        "import churn.keras --config churn.toml": "all that is known of it from a file",
    },
)
@click.argument("model", type=PathName(), help="a .keras or .h5 file, or a SavedModel's folder")
@click.option("--name", cls=Option, metavar="NAME", help="name to serve it under", panel=_MEANING)
@click.option("--title", cls=Option, metavar="TEXT", help="in a few words", panel=_MEANING)
@click.option(
    "--description",
    cls=Option,
    metavar="TEXT",
    help="what it does, what it is not good for",
    panel=_MEANING,
)
@click.option(
    "--classes",
    cls=Option,
    metavar="LABELS",
    help="a,b,c or a file with one a line, in the output's order",
    panel=_MEANING,
)
@click.option(
    "--logits",
    cls=Option,
    is_flag=True,
    help="it ends without a softmax or sigmoid: add that",
    panel=_MEANING,
)
@click.option(
    "--samples",
    cls=Option,
    type=PathName(),
    metavar="FILE",
    help="examples: .csv, .json, .jsonl, .npy or .npz",
    panel=_MEANING,
)
@click.option(
    "--config",
    cls=Option,
    type=PathName(),
    metavar="FILE",
    help="TOML file with all of this and more",
    panel=_MEANING,
)
@click.option(
    "--inputs",
    cls=Option,
    metavar="NAMES",
    help="a,b,c: names of inputs, or of a vector's values",
    panel=_FIELDS,
)
@click.option("--outputs", cls=Option, metavar="NAMES", help="a,b: of outputs", panel=_FIELDS)
@click.option(
    "--unit",
    "units",
    cls=Option,
    metavar="FIELD=UNIT",
    multiple=True,
    help="of an input or output; repeatable",
    panel=_FIELDS,
)
@click.option(
    "--bounds",
    cls=Option,
    metavar="FIELD=A:B",
    multiple=True,
    help="least and largest value; repeatable",
    panel=_FIELDS,
)
@click.option(
    "--example",
    "examples",
    cls=Option,
    metavar="INPUT=VALUE",
    multiple=True,
    help="to show in descriptions; repeatable",
    panel=_FIELDS,
)
@click.option(
    "--sensitive",
    cls=Option,
    metavar="FIELDS",
    help="a,b: never stored by a service",
    shown="as before",
    panel=_FIELDS,
)
@click.option(
    "--models",
    cls=Option,
    type=ModelsFolder(),
    metavar="FOLDER",
    default=training_config.default_out,
    shown=training_config.default_out(),
    help="folder of models",
    panel=_RESULT,
)
@click.option(
    "--force",
    cls=Option,
    is_flag=True,
    help="publish it even if callers of the live version break",
    panel=_RESULT,
)
def command(
    model: Path, models: Path, config: Path | None, name: str | None, force: bool, **given: Any
) -> None:
    """Publish a model that was trained elsewhere as the next version of NAME.

    It becomes a SavedModel with named inputs and outputs, a description and, from --samples,
    golden examples, which every service must answer alike before it serves the version.
    """
    said = Description() if config is None else read_description(config)
    fields = _fields(given.pop("units"), given.pop("bounds"), given.pop("examples"))
    # Whether they are of inputs or outputs is known with the model.
    checked = description_of({"inputs": fields}).inputs
    options = replace(description_of(_said(name, **given), options=True), fields=checked)
    said = combined(said, options)
    if not said.name:
        raise UsageError(
            f"Say under which name {model} is served: understudy import {model} --name NAME."
        )
    check_model_name(said.name)
    check_source(model)
    with silent_stderr():
        from training.workflows.import_model import publish_import

    publish_import(model, models, said, force=force)


def _said(
    name: str | None,
    *,
    title: str | None,
    description: str | None,
    classes: str | None,
    logits: bool,
    samples: Path | None,
    inputs: str | None,
    outputs: str | None,
    sensitive: str | None,
) -> dict[str, Any]:
    """Return the options as a description holds them, without those that are not given."""
    known = {
        "name": name,
        "title": title,
        "description": description,
        "classes": None if classes is None else _labels(classes),
        "logits": logits or None,
        "samples": samples,
        "input_names": None if inputs is None else _listed(inputs),
        "output_names": None if outputs is None else _listed(outputs),
        "sensitive": sensitive,
    }
    return {key: value for key, value in known.items() if value is not None}


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _labels(text: str) -> list[str]:
    """Return labels between commas, or those in a file of that name."""
    path = Path(text)
    if "," in text or not path.is_file():
        return _listed(text)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"--classes: {path} is not UTF-8.") from error
    return [line.strip() for line in lines if line.strip()]


def _fields(
    units: tuple[str, ...], bounds: tuple[str, ...], examples: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for given in units:
        field, unit = _divided("--unit", given, "FIELD=UNIT, such as tenure=months")
        _add(found, "--unit", field, {"unit": unit})
    for given in bounds:
        expected = "FIELD=LEAST:LARGEST, such as tenure=0:72"
        field, ends = _divided("--bounds", given, expected)
        low, colon, high = ends.partition(":")
        try:
            numbers = {
                key: _number(text)
                for key, text in (("minimum", low), ("maximum", high))
                if text.strip()
            }
        except ValueError:
            numbers = {}
        if not colon or not numbers:
            raise UsageError(f"--bounds must be {expected}, not {given!r}.")
        _add(found, "--bounds", field, numbers)
    for given in examples:
        field, text = _divided("--example", given, "INPUT=VALUE, such as tenure=12")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        _add(found, "--example", field, {"example": value})
    return found


def _add(
    found: dict[str, dict[str, Any]], option: str, field: str, said: Mapping[str, Any]
) -> None:
    """Add what an option says of a field.

    Raises:
        UsageError: it is said of the field already.
    """
    known = found.setdefault(field, {})
    if known.keys() & said:
        raise UsageError(f"{option} says the same of {field} twice.")
    known.update(said)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _divided(option: str, given: str, expected: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise UsageError(f"{option} must be {expected}, not {given!r}.")
    return name.strip(), value.strip()
