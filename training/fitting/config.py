"""The settings of one training run: defaults of the architecture < TOML file < command line."""

import dataclasses
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from service.repository.json_strings import is_text
from service.repository.object_store.bucket import bucket_url
from service.repository.object_store.origin import models_folder, place_of
from service.repository.precision import Precision
from training.errors import UsageError

DEFAULT_ARCHITECTURE = "default"
DEFAULT_SEED = 1
DEFAULT_MAX_BAD_ROWS = 0.01
DEFAULT_CHECKPOINTS = 5
# Of the architecture's learning rate, where a training begins with a published version.
FINE_TUNING = 0.1
# The settings that a search may choose; all other names are the network's hyperparameters.
TUNABLE = ("learning_rate", "batch_size")

Network = TypeVar("Network")


def default_out() -> Path:
    """Return the folder of models, the service's: ``MODELS``, or ``saved_models``.

    Of an object store it is a path with the URL's parts, which ``models_folder`` understands.
    """
    return Path(os.environ.get("MODELS") or "saved_models")


def _checked_default_out() -> Path:
    """Return the default folder of models, which the run's file has to name.

    Raises:
        UsageError: ``MODELS`` is no such path.
    """
    folder = default_out()
    try:
        _path(str(folder))
    except ValueError as error:
        raise UsageError(f"MODELS must be {error}, not {str(folder)!r}.") from error
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingDefaults:
    """The settings that an architecture brings.

    Attributes:
        epochs: the default of ``--epochs``.
        batch_size: the default of ``--batch-size``.
        learning_rate: the default of ``--learning-rate``.
        patience: epochs without progress on the held-out data after which training ends;
            ``None`` where the schedule needs all its epochs.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides a training run, beside the data itself.

    Attributes:
        model: the name of the task.
        arch: the name of one of its architectures.
        epochs: how often the training data is gone through.
        batch_size: examples in one step.
        learning_rate: the highest that the architecture's schedule reaches.
        seed: of weights, splits, shuffling and augmentation.
        data: the folder or file to take the data from, or its URL in an object store; ``None``
            searches the known places.
        max_bad_rows: the largest share of bad rows in own data that is allowed, 0 to 1.
        checkpoints: how many of the last epochs' are kept, beside the best epoch's.
        init_from: the published version to begin with: "live" or its number; ``None`` begins with
            nothing.
        precision: what the export multiplies in when it is measured, and when it serves.
        sensitive: fields that a service must not store, with commas between them; ``None`` leaves
            that as it is in the version that serves.
        out: the folder of models to publish into; of an object store, the folder that mirrors it.
        publish: whether the run ends with a new version.
        hyperparameters: of the architecture, where they are not as it has them.
        from_study: the tuning and the trial that chose the settings; ``None`` without.
    """

    model: str
    arch: str
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    data: Path | None
    out: Path
    publish: bool
    max_bad_rows: float = DEFAULT_MAX_BAD_ROWS
    checkpoints: int = DEFAULT_CHECKPOINTS
    init_from: str | None = None
    precision: Precision = Precision.FLOAT32
    sensitive: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    from_study: str | None = None

    def to_json(self) -> dict[str, Any]:
        value = dataclasses.asdict(self)
        return value | {
            "data": None if self.data is None else bucket_url(self.data) or str(self.data),
            "out": place_of(self.out),
        }

    def anywhere(self) -> "Settings":
        """Return the same for a process on whatever machine, in whatever folder it runs."""
        # Of an object store each machine has a mirror of its own.
        return dataclasses.replace(
            self,
            data=None if self.data is None else _absolute(self.data),
            out=_absolute(Path(place_of(self.out))),
        )


def _absolute(place: Path) -> Path:
    return place if bucket_url(place) else place.absolute()


def settings_from_json(value: Mapping[str, Any]) -> Settings:
    """Read settings as ``Settings.to_json`` wrote them.

    Raises:
        UsageError: a key is missing or unknown, or a value is none of its setting. What has a
            default may be missing: an earlier program knew no such setting.
    """
    names = {item.name for item in dataclasses.fields(Settings)}
    required = {
        item.name
        for item in dataclasses.fields(Settings)
        if item.default is item.default_factory is dataclasses.MISSING
    }
    for wrong in sorted((required - value.keys()) | (value.keys() - names)):
        raise UsageError(f"settings: {wrong!r} is {'missing' if wrong in names else 'unknown'}.")
    check_settings(value)
    data = None if value["data"] is None else Path(value["data"])
    precision = Precision(value.get("precision", Precision.FLOAT32))
    typed = {"data": data, "out": models_folder(value["out"]), "precision": precision}
    return Settings(**dict(value) | typed)


def check_settings(value: Mapping[str, Any]) -> None:
    """Check values of settings that stand in a file, which people may have edited.

    Args:
        value: by the names of ``Settings``; what is not there is not checked.

    Raises:
        UsageError: a value is none of its setting; the message names it.
    """
    for name, check in _STORED.items():
        if name not in value or (value[name] is None and name in _MAY_BE_NONE):
            continue
        try:
            check(value[name])
        except ValueError as error:
            raise UsageError(
                f"settings: {name!r} must be {error}, not {value[name]!r:.60}."
            ) from error


def architecture_of(
    model: str, architectures: Mapping[str, TrainingDefaults], name: str
) -> TrainingDefaults:
    """Return the architecture of that name.

    Raises:
        UsageError: the model has no such architecture.
    """
    if name not in architectures:
        known = ", ".join(architectures)
        raise UsageError(f"{model} has no architecture {name!r}; it has {known}.")
    return architectures[name]


def with_hyperparameters(network: Network, changed: Mapping[str, Any]) -> Network:
    """Return a task's description of a network, a dataclass, with some of its fields replaced.

    Raises:
        UsageError: there is no such field; a run or a study is of another version of the code.
    """
    names = [item.name for item in dataclasses.fields(network)]  # type: ignore[arg-type]
    for name in changed:
        if name not in names:
            raise UsageError(
                f"The network has no hyperparameter {name!r}; it has {', '.join(names)}."
            )
    return dataclasses.replace(network, **changed)  # type: ignore[type-var]


def with_chosen(settings: Settings, chosen: Mapping[str, Any]) -> Settings:
    """Return ``settings`` with what a search chose: settings by their names, the rest of the
    names are hyperparameters of the network.
    """
    own = {name: value for name, value in chosen.items() if name in TUNABLE}
    rest = {name: value for name, value in chosen.items() if name not in TUNABLE}
    return dataclasses.replace(
        settings, **own, hyperparameters={**settings.hyperparameters, **rest}
    )


def load_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        UsageError: the file cannot be read, or is not TOML.
    """
    try:
        # Editors of Windows begin a file with a mark that nobody sees.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except RecursionError as error:
        raise UsageError(f"{path} is not TOML that can be read: it nests too deeply.") from error
    # Beside tomllib's own, and those of bytes that are no UTF-8: whole numbers of over 4300 digits.
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {str(error).rstrip('.')}.") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return the options in a TOML file, each checked; keys are the options' names.

    Raises:
        UsageError: the file cannot be read, or a key or value is wrong; the message names it.
    """
    value = load_toml(path)
    for key, item in value.items():
        if key not in OPTIONS:
            raise UsageError(f"{path}: unknown key {key!r}; known are {', '.join(OPTIONS)}.")
        try:
            OPTIONS[key](item)
        except ValueError as error:
            raise UsageError(f"{path}: {key} must be {error}, not {item!r}.") from error
    return value


def resolve(
    model: str,
    architectures: Mapping[str, TrainingDefaults],
    toml: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Settings:
    """Resolve each setting: the command line wins over TOML, TOML over the architecture.

    Args:
        model: the name of the model to train.
        architectures: the networks that it may have, by name.
        toml: what ``read_toml`` returned; empty without a file.
        given: what the command line gave, by the options' names; nothing for what it did not.

    Raises:
        UsageError: the model has no such architecture.
    """
    chosen = {**toml, **given}
    arch = chosen.get("arch", DEFAULT_ARCHITECTURE)
    architecture = architecture_of(model, architectures, arch)
    data, start = chosen.get("data"), chosen.get("init-from")
    # What was learned is to be refined; at the full rate it would be forgotten first.
    rate = architecture.learning_rate * (1 if start is None else FINE_TUNING)
    return Settings(
        model=model,
        arch=arch,
        epochs=chosen.get("epochs", architecture.epochs),
        batch_size=chosen.get("batch-size", architecture.batch_size),
        learning_rate=float(chosen.get("learning-rate", rate)),
        seed=chosen.get("seed", DEFAULT_SEED),
        data=None if data is None else Path(data),
        out=models_folder(chosen["out"] if "out" in chosen else _checked_default_out()),
        publish=not chosen.get("no-publish", False),
        init_from=None if start is None else str(start),
        checkpoints=chosen.get("checkpoints", DEFAULT_CHECKPOINTS),
        precision=Precision(chosen.get("precision", Precision.FLOAT32)),
        sensitive=chosen.get("sensitive"),
        max_bad_rows=float(chosen.get("max-bad-rows", DEFAULT_MAX_BAD_ROWS)),
    )


def parse(option: str, given: str) -> Any:
    """Read an option's value from the command line, where all values are text.

    Raises:
        ValueError: it is not a value of this option; the message says what the value must be.
    """
    value: Any = given
    for kind in (int, float):
        if OPTIONS[option] in _NUMBERS:
            with suppress(ValueError):
                value = kind(given)
                break
    return OPTIONS[option](value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a string")
    if not is_text(value):
        raise ValueError("a string in UTF-8")
    return value


def _path(value: Any) -> str:
    if isinstance(value, str) and not is_text(value):
        raise ValueError("a path in UTF-8")
    text = _text(value)
    # No system call takes one, and Python says so only when the path is used.
    if "\0" in text:
        raise ValueError("a path, in which there is no NUL")
    return text


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number of at least 1")
    return value


def _seed(value: Any) -> int:
    # numpy's legacy seed, which keras.utils.set_random_seed sets too, has 32 bits.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError("a whole number from 0 to 4294967295")
    return value


def _rate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 10:
        raise ValueError("a number above 0 and at most 10")
    return float(value)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("a share from 0 to 1")
    return float(value)


def _version(value: Any) -> str:
    # From the command line a number is text.
    text = str(value) if isinstance(value, int | str) else ""
    if not re.fullmatch("live|[0-9]{1,18}", text):
        raise ValueError("live, or the number of a version")
    return text


def _precision(value: Any) -> str:
    if not isinstance(value, str) or value not in set(Precision):
        raise ValueError(" or ".join(Precision))
    return value


def _fields(value: Any) -> str:
    text = _text(value)
    # Nothing between commas would take all marks back without saying so.
    if not any(name.strip() for name in text.split(",")):
        raise ValueError("names of fields with commas between them, or none")
    return text


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("an object")
    return value


_NUMBERS = (_count, _seed, _rate, _share)

# The options that a TOML file may hold, each with its check; a check raises ValueError with
# what the value must be.
OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    "arch": _text,
    "epochs": _count,
    "batch-size": _count,
    "learning-rate": _rate,
    "seed": _seed,
    "data": _path,
    "max-bad-rows": _share,
    "checkpoints": _count,
    "init-from": _version,
    "precision": _precision,
    "sensitive": _fields,
    "out": _path,
    "no-publish": _flag,
}

# The same of settings in a file of a run, by the names of ``Settings``.
_STORED: Mapping[str, Callable[[Any], Any]] = {
    "model": _text,
    "arch": _text,
    "epochs": _count,
    "batch_size": _count,
    "learning_rate": _rate,
    "seed": _seed,
    "data": _path,
    "out": _path,
    "publish": _flag,
    "max_bad_rows": _share,
    "checkpoints": _count,
    "init_from": _version,
    "precision": _precision,
    "sensitive": _fields,
    "hyperparameters": _table,
    "from_study": _text,
}
_MAY_BE_NONE = ("data", "init_from", "sensitive", "from_study")
