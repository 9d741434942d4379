"""Options that several commands take, declared once."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from training import tasks
from training.errors import UsageError
from training.fitting import config

if TYPE_CHECKING:
    # What ``add_subparsers`` returns; argparse has no public name for it, nor a subscript.
    Commands = argparse._SubParsersAction["Parser"]


class Parser(argparse.ArgumentParser):
    """argparse's parser, its errors as ours: one sentence, raised and not printed."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, one that can be trained."""
    parser.add_argument("model", metavar="MODEL", help=f"one of {', '.join(tasks.names())}")


def add_published_model(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, one that may have come from elsewhere."""
    parser.add_argument("model", metavar="MODEL", help="any model in the folder of models")


def add_models_folder(parser: argparse.ArgumentParser) -> None:
    """Add ``--out`` for commands that look at published versions."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        default=config.default_out(),
        help=f"the folder of models ({config.default_out()})",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add ``--data`` and ``--max-bad-rows`` for commands that only read the data."""
    parser.add_argument("--data", type=Path, metavar="PATH", help="where the data is")
    add_max_bad_rows(parser)
    parser.set_defaults(**{"max-bad-rows": config.DEFAULT_MAX_BAD_ROWS})


def add_max_bad_rows(parser: argparse.ArgumentParser) -> None:
    """Add ``--max-bad-rows``."""
    text = f"refuse own data with a larger share of bad rows ({config.DEFAULT_MAX_BAD_ROWS})"
    add_setting(parser, "max-bad-rows", "X", text)


def add_setting(parser: argparse.ArgumentParser, name: str, metavar: str, text: str) -> None:
    """Add an option that a TOML file may hold as well, with the same check.

    It appears among the parsed options only where it is given.
    """

    def checked(given: str) -> Any:
        try:
            return config.parse(name, given)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be {error}, not {given!r}") from error

    parser.add_argument(
        f"--{name}", dest=name, type=checked, metavar=metavar, default=argparse.SUPPRESS, help=text
    )


def add_training_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide a training, and ``--config`` for a file that holds them."""
    add_setting(parser, "arch", "NAME", "its network: default, or the small one of the tutorials")
    add_setting(parser, "epochs", "N", "how often to go through the training data")
    add_setting(parser, "batch-size", "N", "examples in a step")
    add_setting(parser, "learning-rate", "X", "the highest that the schedule reaches")
    add_setting(parser, "seed", "N", f"decides all that is random ({config.DEFAULT_SEED})")
    add_setting(parser, "data", "PATH", "the data; the standard data is searched if not given")
    add_max_bad_rows(parser)
    add_setting(parser, "init-from", "VERSION", "begin with its weights: live, or its number")
    text = "what the export multiplies in: float32, or bf16 where the processor can"
    add_setting(parser, "precision", "NAME", text)
    text = f"of how many of the last epochs to keep the weights ({config.DEFAULT_CHECKPOINTS})"
    add_setting(parser, "checkpoints", "N", text)
    add_setting(parser, "out", "FOLDER", f"the models to publish into ({config.default_out()})")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file with any of the options above"
    )


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given on the command line, by their options' names."""
    return {key: value for key, value in vars(options).items() if key in config.OPTIONS}
