"""``evaluate``: measure a published version again."""

import argparse
from typing import TYPE_CHECKING

from training import tasks
from training.workflows import inspect
from understudy.options import add_data, add_model, add_models_folder

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    evaluate = commands.add_parser(
        "evaluate", help="measure an exported version again on the full test set"
    )
    evaluate.set_defaults(run_command=run)
    add_model(evaluate)
    evaluate.add_argument(
        "--version", type=int, metavar="N", help="the version; the highest if not given"
    )
    add_data(evaluate)
    add_models_folder(evaluate)


def run(options: argparse.Namespace) -> None:
    task = tasks.get(options.model)
    data, max_bad_rows = (getattr(options, name) for name in ("data", "max-bad-rows"))
    inspect.evaluate(task, options.out, options.version, data, max_bad_rows)
