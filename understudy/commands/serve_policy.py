"""``serve-policy``: choose which versions of a model serve, and under which labels."""

from collections.abc import Sequence
from pathlib import Path

import click

from service.repository.rollout_policy import RolloutRules
from understudy import options
from understudy.help import PUBLISHED, Command, Option
from understudy.options import WholeNumber, models_folder, published_model


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="choose which versions of a model serve",
    context_settings={"allow_extra_args": True},
    examples={
        "serve-policy mpg --latest 1": "follow the latest version",
        "serve-policy mpg --versions 3 4 --label stable=3": "pin two versions, label one",
        "serve-policy mpg --rollout 4": "try version 4 out on live traffic",
        "serve-policy mpg --keep 5": "delete older versions on publishing",
    },
)
@published_model()
@click.option(
    "--latest", cls=Option, type=WholeNumber(), metavar="N", help="serve the N highest versions"
)
@click.option(
    "--versions",
    cls=Option,
    type=WholeNumber(),
    multiple=True,
    metavar="N...",
    help="serve these versions, and pin them",
)
@click.option(
    "--label",
    cls=Option,
    multiple=True,
    metavar="NAME=N",
    help="name for version N; NAME= removes it",
)
@click.option(
    "--keep",
    cls=Option,
    type=WholeNumber(0),
    metavar="N",
    help="versions to keep on disk; 0 keeps all",
)
@click.option(
    "--rollout",
    cls=Option,
    type=WholeNumber(),
    metavar="N",
    help="try version N out, and serve it if it does no harm",
)
@options.rules()
@models_folder()
@click.pass_context
def command(
    context: click.Context,
    model: str,
    latest: int | None,
    versions: Sequence[int],
    label: Sequence[str],
    keep: int | None,
    rollout: int | None,
    rollout_rules: RolloutRules | None,
    out: Path,
) -> None:
    """Choose which versions of a model serve, and under which labels.

    A running service follows within seconds.
    """
    # --versions takes one or more, which click has no word for: the others are left over.
    more = [WholeNumber().convert(value, None, context) for value in context.args]
    if more and not versions:
        raise click.UsageError(f"Which versions serve is an option: --versions {more[0]}.")
    if versions and latest is not None:
        raise click.UsageError("--latest and --versions exclude each other.")
    if rollout is not None and (versions or latest is not None or label or keep is not None):
        raise click.UsageError("--rollout goes with no other option but --rollout-rules.")
    rules = options.rollout_rules(rollout is not None, rollout_rules)
    from training.publishing import version_policy

    if rollout is not None and rules is not None:
        version_policy.start_rollout(out, model, rollout, rules)
        return
    version_policy.change_policy(
        out,
        model,
        latest=latest,
        versions=[*versions, *more] or None,
        labels=list(label),
        keep=keep,
    )
