"""Options and arguments that several commands take, declared once."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from service.repository.errors import RepositoryError
from service.repository.model_store import Store
from service.repository.object_store.origin import models_folder as mirrored_or_own
from service.repository.rollout_policy import RolloutRules, rules_from_json
from training import tasks
from training.fitting import config
from understudy.help import Option
from understudy.parameter_types import PathName, named

Decorated = Callable[..., Any]
Decorator = Callable[[Decorated], Decorated]

_TRAINING, _DATA, _RESULT = "What is trained, and how", "Data", "The result"


class _Model(click.ParamType[str]):
    """A model's name, completed from those that can be trained."""

    name = "model"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in tasks.task_names() if name.startswith(incomplete)]


class _PublishedModel(click.ParamType[str]):
    """A model's name, completed from those in the folder of models; of a store, in its mirror."""

    name = "model"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            folder = ctx.params.get("out") or mirrored_or_own(config.default_out())
            names = Store(folder).models()
        except (OSError, RepositoryError):
            return []  # The command says what is wrong with the folder.
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class _Setting(click.ParamType[Any]):
    """A setting that a TOML file may hold as well, with the same check."""

    name = "setting"

    def __init__(self, option: str) -> None:
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return config.parse(self._option, value)
        except ValueError as error:
            self.fail(f"must be {error}, not {value!r}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        is_path = self._option in ("data", "out")
        return [CompletionItem(incomplete, type="file")] if is_path else []


class ModelsFolder(click.ParamType[Path]):
    """A folder of models; of an object store the folder that mirrors it."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return mirrored_or_own(named(self, value, param, ctx))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="dir")]


# Of a number that can be meant; Python reads no number of thousands of them.
_MOST_DIGITS = 18


class WholeNumber(click.ParamType[int]):
    """A whole number of at least ``least``."""

    name = "number"

    def __init__(self, least: int = 1) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        is_number = isinstance(value, int) or (value.isdecimal() and len(value) <= _MOST_DIGITS)
        if not is_number or int(value) < self._least:
            self.fail(
                f"must be a whole number of at least {self._least}, not {value!r}", param, ctx
            )
        return int(value)


def model(text: str = "", *, required: bool = True) -> Decorator:
    """Take MODEL, one that can be trained."""
    return click.argument(
        "model",
        type=_Model(),
        required=required,
        help=text or f"one of {', '.join(tasks.task_names())}",
    )


def published_model(
    text: str = "any in the folder of models", *, required: bool = True
) -> Decorator:
    """Take MODEL, one that may have come from elsewhere."""
    return click.argument("model", type=_PublishedModel(), required=required, help=text)


def models_folder() -> Decorator:
    """Take ``--out`` for commands that look at published versions."""
    return click.option(
        "--out",
        cls=Option,
        type=ModelsFolder(),
        metavar="FOLDER",
        default=config.default_out,
        shown=config.default_out(),
        help="folder of models",
    )


def data_path() -> Decorator:
    """Take ``--data`` for commands that only read the data."""
    return click.option(
        "--data",
        cls=Option,
        type=PathName(),
        metavar="PATH",
        help="data to use instead of the standard",
    )


def rollout(panel: str) -> Decorator:
    """Take ``--rollout`` and ``--rollout-rules``; ``rollout_rules`` makes one value of both."""
    text = "try it out on live traffic before it serves"
    flag = click.option("--rollout", is_flag=True, cls=Option, help=text, panel=panel)
    return lambda command: flag(rules(panel)(command))


def rules(panel: str = "Options") -> Decorator:
    """Take ``--rollout-rules``; its value is ``None`` where it is not given."""
    return click.option(
        "--rollout-rules",
        cls=Option,
        type=_Rules(),
        metavar="JSON",
        help="rules of the trial",
        panel=panel,
    )


def rollout_rules(rollout: bool, rules: RolloutRules | None) -> RolloutRules | None:
    """Return the rules of the trial that the two options ask for; ``None`` for no trial.

    Raises:
        UsageError: there are rules for no trial.
    """
    if rules is not None and not rollout:
        raise click.UsageError("--rollout-rules goes with --rollout.")
    return (rules or RolloutRules()) if rollout else None


class _Rules(click.ParamType[RolloutRules]):
    """Rules of a rollout, as policy.json has them: ``{"step_s": 3600}``."""

    name = "rules"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> RolloutRules:
        if isinstance(value, RolloutRules):
            return value
        try:
            return rules_from_json(json.loads(value), "rules")
        # Beside what is not JSON: whole numbers of over 4300 digits, and what nests too deeply.
        except (ValueError, RecursionError) as error:
            self.fail(f"it is not JSON: {error}", param, ctx)
        except RepositoryError as error:
            self.fail(str(error), param, ctx)


def cluster() -> Decorator:
    """Take ``--on``, the address of a cluster to train on; ``None`` trains on this machine."""
    text = "Ray cluster: auto, HOST:PORT or ray://HOST:PORT"
    return click.option("--on", cls=Option, metavar="ADDRESS", help=text)


def as_json() -> Decorator:
    """Take ``--json``."""
    return click.option("--json", "json", cls=Option, is_flag=True, help="print JSON, for programs")


def setting(
    name: str, metavar: str, text: str, shown: object = "", panel: str = "Options"
) -> Decorator:
    """Take a setting of the training; its value is ``None`` where it is not given."""
    return click.option(
        f"--{name}",
        name.replace("-", "_"),
        cls=Option,
        type=_Setting(name),
        metavar=metavar,
        help=text,
        shown=shown,
        panel=panel,
    )


def max_bad_rows(panel: str = "Options") -> Decorator:
    """Take ``--max-bad-rows``."""
    text = "largest share of bad rows in own data"
    return setting("max-bad-rows", "X", text, config.DEFAULT_MAX_BAD_ROWS, panel)


def seed(panel: str = "Options") -> Decorator:
    """Take ``--seed``."""
    return setting("seed", "N", "seed of everything random", config.DEFAULT_SEED, panel)


def training_settings(function: Decorated) -> Decorated:
    """Take the options that decide a training, and ``--config`` for a file that holds them."""
    options: list[Decorator] = [
        setting("arch", "NAME", "its network: default, or the small tutorial", "", _TRAINING),
        setting("epochs", "N", "passes over the training data", "the network's", _TRAINING),
        setting("batch-size", "N", "examples in a step", "the network's", _TRAINING),
        setting("learning-rate", "X", "peak of the schedule", "the network's", _TRAINING),
        seed(_TRAINING),
        setting("init-from", "VERSION", "start from its weights: live, or N", "", _TRAINING),
        click.option(
            "--config",
            cls=Option,
            type=PathName(),
            metavar="FILE",
            help="TOML file with any of these options",
            panel=_TRAINING,
        ),
        setting("data", "PATH", "your data, instead of the standard", "", _DATA),
        max_bad_rows(_DATA),
        setting("out", "FOLDER", "models to publish into", config.default_out(), _RESULT),
        setting("precision", "NAME", "of the export: float32 or bf16", "float32", _RESULT),
        setting("sensitive", "FIELDS", "never stored by a service", "as before", _RESULT),
        setting("checkpoints", "N", "last epochs to keep", config.DEFAULT_CHECKPOINTS, _RESULT),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def explicit_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that were given on the command line, by their options' names."""
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return {
        name: value
        for name, value in named.items()
        if name in config.OPTIONS and value is not None and value is not False
    }
