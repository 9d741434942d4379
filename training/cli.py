"""``python -m training``: the command line."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from service.repository.errors import RepositoryError
from training import config, inspection, runs, serving, tasks
from training.errors import TrainingError, UsageError

# Exit codes: done; a failure outside the program; wrong usage; ended by Ctrl-C, as shells say it.
DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; failures are a sentence on standard error."""
    # TensorFlow tells its own story at start-up otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        options = _parser().parse_args(arguments)
        command: Callable[[argparse.Namespace], None] = options.run_command
        command(options)
    except UsageError as error:
        return _complain(error, WRONG_USAGE)
    except (TrainingError, RepositoryError) as error:
        return _complain(error, FAILED)
    except OSError as error:
        # A disk that is full, a folder that may not be written: outside the program all the same.
        return _complain(f"{error.strerror or error}: {error.filename or 'a file'}", FAILED)
    except KeyboardInterrupt as interrupt:
        return _complain(str(interrupt) or "Interrupted.", INTERRUPTED)
    return DONE


class _Parser(argparse.ArgumentParser):
    """argparse's parser, its errors as ours: one sentence, raised and not printed."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m training",
        description="Train models, and publish them as versions that the service takes over.",
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )

    train = commands.add_parser("train", help="train a model and publish its next version")
    train.set_defaults(run_command=_train)
    _add_model(train)
    _add_option(train, "arch", "NAME", "its network: default, or the small one of the tutorials")
    _add_option(train, "epochs", "N", "how often to go through the training data")
    _add_option(train, "batch-size", "N", "examples in a step")
    _add_option(train, "learning-rate", "X", "the highest that the schedule reaches")
    _add_option(train, "seed", "N", f"decides all that is random ({config.DEFAULT_SEED})")
    _add_option(train, "data", "FOLDER", "where the data is; searched and downloaded if not given")
    _add_option(train, "out", "FOLDER", f"the models to publish into ({config.DEFAULT_OUT})")
    train.add_argument(
        "--no-publish",
        dest="no-publish",
        action="store_true",
        default=argparse.SUPPRESS,
        help="stop after the export in the run folder",
    )
    train.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file with any of the options above"
    )
    train.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with the training in this run folder, with its settings",
    )

    listing = commands.add_parser("list", help="show models, versions and metrics")
    listing.set_defaults(run_command=_list)
    _add_models_folder(listing)

    evaluate = commands.add_parser(
        "evaluate", help="measure an exported version again on the full test set"
    )
    evaluate.set_defaults(run_command=_evaluate)
    _add_model(evaluate)
    evaluate.add_argument(
        "--version", type=int, metavar="N", help="the version; the highest if not given"
    )
    evaluate.add_argument("--data", type=Path, metavar="FOLDER", help="where the data is")
    _add_models_folder(evaluate)

    policy = commands.add_parser("serve-policy", help="say which versions of a model serve")
    policy.set_defaults(run_command=_serve_policy)
    _add_published_model(policy)
    serve = policy.add_mutually_exclusive_group()
    serve.add_argument("--latest", type=int, metavar="N", help="serve the N highest versions")
    serve.add_argument(
        "--versions", type=int, nargs="+", metavar="N", help="serve these versions, and pin them"
    )
    policy.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=N",
        help="let NAME stand for version N; NAME= takes the label away",
    )
    policy.add_argument(
        "--keep", type=int, metavar="N", help="versions to keep on disk; 0 keeps all"
    )
    _add_models_folder(policy)

    rollback = commands.add_parser("rollback", help="put the version before back, and pin it")
    rollback.set_defaults(run_command=_roll_back)
    _add_published_model(rollback)
    _add_models_folder(rollback)

    data_sets = commands.add_parser("datasets", help="show what data is where")
    data_sets.set_defaults(run_command=_datasets)
    data_sets.add_argument("--data", type=Path, metavar="FOLDER", help="look only there")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=f"one of {', '.join(tasks.names())}")


def _add_published_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="any model in the folder of models")


def _add_models_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        default=config.DEFAULT_OUT,
        help=f"the folder of models ({config.DEFAULT_OUT})",
    )


def _add_option(parser: argparse.ArgumentParser, name: str, metavar: str, text: str) -> None:
    """Add an option that a TOML file may hold as well, with the same check."""

    def checked(given: str) -> Any:
        try:
            return config.parse(name, given)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be {error}, not {given!r}") from error

    parser.add_argument(
        f"--{name}", dest=name, type=checked, metavar=metavar, default=argparse.SUPPRESS, help=text
    )


def _train(options: argparse.Namespace) -> None:
    from training import pipeline  # imports Keras, which takes seconds: not for --help

    run = _run(options)
    try:
        pipeline.train(run)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted. To go on: "
            f"python -m training train {run.settings.model} --resume {run.folder}"
        ) from None


def _run(options: argparse.Namespace) -> runs.Run:
    given: Mapping[str, Any] = {
        key: value for key, value in vars(options).items() if key in config.OPTIONS
    }
    task = tasks.get(options.model)
    if options.resume is None:
        toml = {} if options.config is None else config.read_toml(options.config)
        return runs.create(runs.RUNS, config.resolve(task, toml, given))
    if options.config is not None or given.keys() - _KEPT_FREE:
        raise UsageError(
            "--resume takes what decides the training from the run: "
            "only --data, --out and --no-publish go with it."
        )
    run = runs.open_run(options.resume)
    if run.settings.model != task.name:
        raise UsageError(f"{options.resume} is a run of {run.settings.model}, not of {task.name}.")
    return run.taken_up(given)


# What a resumed run may do otherwise: none of it changes what is learned.
_KEPT_FREE = {"data", "out", "no-publish"}


def _list(options: argparse.Namespace) -> None:
    inspection.show_models(options.out)


def _evaluate(options: argparse.Namespace) -> None:
    inspection.evaluate(tasks.get(options.model), options.out, options.version, options.data)


def _datasets(options: argparse.Namespace) -> None:
    inspection.show_data_sets(options.data)


def _serve_policy(options: argparse.Namespace) -> None:
    serving.change_policy(
        options.out,
        options.model,
        latest=options.latest,
        versions=options.versions,
        labels=options.label,
        keep=options.keep,
    )


def _roll_back(options: argparse.Namespace) -> None:
    serving.roll_back(options.out, options.model)


def _complain(problem: object, code: int) -> int:
    sys.stderr.write(f"{problem}\n")
    return code
