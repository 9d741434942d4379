"""``python -m training``: the command line."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from service.repository.errors import RepositoryError
from training.console.library_errors import sentence_of
from training.errors import TrainingError
from understudy import commands
from understudy.options import Parser
from understudy.signals import stops_as_by_ctrl_c

# Exit codes, beside those of ``training.errors``: done; a failure outside the program; ended by
# Ctrl-C, as shells say it, or by a request to stop.
DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; failures are a sentence on standard error."""
    # TensorFlow tells its own story at start-up otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], None] = options.run_command
        with stops_as_by_ctrl_c():
            command(options)
    except TrainingError as error:
        return _complain(error, error.exit_code)
    except RepositoryError as error:
        return _complain(error, FAILED)
    except OSError as error:
        # A disk that is full, a folder that may not be written: outside the program all the same.
        return _complain(f"{error.strerror or error}: {error.filename or 'a file'}", FAILED)
    except KeyboardInterrupt as interrupt:
        return _complain(str(interrupt) or "Interrupted.", INTERRUPTED)
    except ImportError:
        raise  # What is not installed is told where all imports are seen.
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        return _complain(sentence, FAILED)
    return DONE


def _parser() -> Parser:
    parser = Parser(
        prog="python -m training",
        description="Train models, and publish them as versions that the service takes over.",
    )
    commands.add_all(
        parser.add_subparsers(
            title="commands", metavar="COMMAND", required=True, parser_class=Parser
        )
    )
    return parser


def _complain(problem: object, code: int) -> int:
    sys.stderr.write(f"{problem}\n")
    return code
