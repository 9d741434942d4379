"""What ended a command, as a sentence for people and an exit code for schedulers."""

from dataclasses import dataclass
from pathlib import Path

import click

from service.events.errors import StoreError
from service.repository.errors import RepositoryError

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
_INSTALL = "make install-train"


@dataclass(frozen=True, slots=True)
class Failure:
    """The sentence that is printed, and the exit code."""

    sentence: str
    exit_code: int


def failure_of(error: BaseException) -> Failure | None:
    """Return how a command failed; ``None`` for a fault of this program, which keeps its trace."""
    match error:
        case KeyboardInterrupt():
            return Failure(str(error) or "Interrupted.", INTERRUPTED)
        case click.ClickException():
            return Failure(_usage(error), error.exit_code)
        case RepositoryError() | StoreError():
            return Failure(str(error), FAILED)
        case OSError():
            # A full disk, a folder that may not be written: outside of the program as well.
            reason = f"{error.strerror or error}: {error.filename or 'a file'}"
            return Failure(reason, FAILED)
        case ImportError():
            sentence = _missing_package(error)
        case _:
            # Absent where an image only serves: nothing there can fail in its way.
            from training.console.library_errors import sentence_of
            from training.errors import TrainingError

            if isinstance(error, TrainingError):
                return Failure(str(error), error.exit_code)
            sentence = sentence_of(error)
    return None if sentence is None else Failure(sentence, FAILED)


def _usage(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    message = error.format_message().rstrip(".")
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
        names = error.param.opts if error.param else []
        reason = error.message.rstrip(".")
        message = f"{'/'.join(names)}{' ' if reason.startswith('must ') else ': '}{reason}"
    context = error.ctx if isinstance(error, click.UsageError) else None
    end = "" if message.endswith(("?", "?)")) else "."
    return f"{message}{end}" + (f" See {context.command_path} --help." if context else "")


def _missing_package(error: ImportError) -> str | None:
    """Return which package is not installed; ``None`` where it is a module of this program."""
    name = (error.name or "").partition(".")[0]
    if name == "training":
        return f"This installation only serves models; the trainer is not part of it ({error})."
    root = Path(__file__).parents[1]
    if not name or name in ("understudy", "service") or (root / "training" / name).exists():
        return None
    how = "is missing" if isinstance(error, ModuleNotFoundError) else f"cannot be used ({error})"
    return (
        f"The package {name!r} {how} in this Python. `{_INSTALL}` installs what training needs; "
        "then call .venv/bin/understudy."
    )
