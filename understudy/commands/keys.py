"""``keys``: make, list and remove the API keys of a service."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from service.access.key_file import (
    ALL_MODELS,
    PREDICTING,
    ApiKey,
    Right,
    change_keys,
    name_problem,
    new_key,
    read_keys,
)
from service.repository.folder_names import is_served_name
from understudy.help import SERVING, Command, Option
from understudy.parameter_types import FiniteRange, PathName

_VARIABLE = "UNDERSTUDY_KEYS_FILE"


@click.command(
    cls=Command,
    panel=SERVING,
    short_help="make, list and remove API keys",
    examples={
        "keys add shop --model mpg --file keys.json": "print a new key, once, for one model",
        "keys add lab --rate 50": "all models, 50 requests a second",
        "keys add labels --may audit": "read and label audits, and predict nothing",
        "keys list": "names, models and rates; the file has no keys, only digests",
        "keys remove shop": "refuse it from now on",
    },
)
@click.argument("action", type=click.Choice(["add", "list", "remove"]), help="what to do")
@click.argument("name", required=False, help="the key's name, for logs and metrics")
@click.option(
    "--model", cls=Option, multiple=True, metavar="NAME", shown="all", help="a model it may ask"
)
@click.option(
    "--may",
    cls=Option,
    multiple=True,
    type=click.Choice([str(each) for each in Right]),
    metavar="RIGHT",
    shown="predict",
    help="predict, or audit",
)
@click.option(
    "--rate",
    cls=Option,
    # The most is that of the file.
    type=FiniteRange(0, 1e9, min_open=True),
    metavar="N",
    shown="any",
    help="requests a second",
)
@click.option(
    "--burst",
    cls=Option,
    type=click.IntRange(min=1),
    metavar="N",
    shown="a second's",
    help="requests at once, of --rate",
)
@click.option(
    "--file",
    cls=Option,
    type=PathName(),
    metavar="FILE",
    shown=_VARIABLE,
    help="file of keys",
)
def command(
    action: str,
    name: str | None,
    model: Sequence[str],
    may: Sequence[str],
    rate: float | None,
    burst: int | None,
    file: Path | None,
) -> None:
    """Make, list and remove the API keys in a file; a running service follows within seconds.

    The file has only digests. A new key is printed once, and cannot be shown again.
    """
    path = file or Path(os.environ.get(_VARIABLE) or "")
    if path == Path():
        raise click.UsageError(f"Which file of keys? Give --file, or set {_VARIABLE}.")
    if action != "add":
        _refuse_strays(action, {"--model": model, "--may": may, "--rate": rate, "--burst": burst})
    if action == "list":
        if name:
            raise click.UsageError("keys list takes no name: it lists all keys.")
        for each in read_keys(path).values():
            click.echo(_line(each))
        return
    if not name:
        raise click.UsageError(f"keys {action} needs the key's name.")
    if action == "remove":
        _remove(path, name)
        click.echo(f"{name} is removed from {path}.")
        return
    if problem := name_problem(name):
        raise click.UsageError(problem)
    for wanted in model:
        if wanted == ALL_MODELS or not is_served_name(wanted):
            raise click.UsageError(
                f"--model: {wanted!r} cannot be a model's name; a key without --model may ask all."
            )
    if burst is not None and rate is None:
        raise click.UsageError("--burst needs --rate.")
    key, entry = new_key(
        name, frozenset(model) or None, rate, burst, frozenset(map(Right, may)) or PREDICTING
    )
    _add(path, entry)
    # The key alone on standard output, so that it can be piped to where it is kept.
    click.echo(f"The key of {name}, which is shown only now:", err=True)
    click.echo(key)


def _refuse_strays(action: str, options: Mapping[str, object]) -> None:
    """Refuse what is meant for a part of a key: none of it can be changed, or asked for, alone."""
    stray = [name for name, value in options.items() if value]
    if stray:
        raise click.UsageError(f"keys {action} takes no {stray[0]}, which goes with keys add.")


def _add(path: Path, entry: ApiKey) -> None:
    if not path.parent.is_dir():
        raise click.UsageError(f"{path.parent}, where {path.name} is to be, is no folder.")

    def change(keys: dict[str, ApiKey]) -> None:
        if entry.name in keys:
            raise click.UsageError(
                f"{path} has a key {entry.name!r} already; remove it, or choose another name."
            )
        keys[entry.name] = entry

    change_keys(path, change)


def _remove(path: Path, name: str) -> None:
    if not path.exists():
        raise click.UsageError(f"{path} is not there.")

    def change(keys: dict[str, ApiKey]) -> None:
        if keys.pop(name, None) is None:
            raise click.UsageError(f"{path} has no key {name!r}.")

    change_keys(path, change)


def _line(key: ApiKey) -> str:
    models = ALL_MODELS if key.models is None else ", ".join(sorted(key.models))
    rate = "any rate" if key.requests_per_s is None else f"{key.requests_per_s:g} requests/s"
    may = "" if key.may == PREDICTING else f"may {', '.join(sorted(key.may))}"
    parts = (f"{key.name:20}", f"{models:20}", f"{rate:16}", may, key.created)
    return "  ".join(filter(None, parts))
