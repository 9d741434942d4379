"""``serve-policy``: say which versions of a model serve, and under which labels."""

import argparse
from typing import TYPE_CHECKING

from training.publishing import version_policy
from understudy.options import add_models_folder, add_published_model

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    policy = commands.add_parser("serve-policy", help="say which versions of a model serve")
    policy.set_defaults(run_command=run)
    add_published_model(policy)
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
    add_models_folder(policy)


def run(options: argparse.Namespace) -> None:
    version_policy.change_policy(
        options.out,
        options.model,
        latest=options.latest,
        versions=options.versions,
        labels=options.label,
        keep=options.keep,
    )
