"""``mirror``: let a folder follow an object store."""

from pathlib import Path

import click

from service.settings.settings import Settings
from understudy.help import SERVING, Command, Option
from understudy.parameter_types import FiniteRange, PathName


@click.command(
    cls=Command,
    panel=SERVING,
    short_help="let a folder of models follow an object store",
    examples={
        "mirror s3://bucket/models --to models": "for services that serve that folder",
        "mirror gs://bucket/models --to models --every 300": "look every five minutes",
    },
)
@click.argument("source", help="URL of the store: s3://, gs://, az://, https:// or file://")
@click.option(
    "--to",
    "folder",
    cls=Option,
    type=PathName(),
    required=True,
    metavar="FOLDER",
    help="folder of models",
)
@click.option(
    "--every",
    cls=Option,
    # The bounds are those of the service's setting.
    type=FiniteRange(0.1, 86_400),
    default=Settings.mirror_interval_s,
    show_default=True,
    metavar="SECONDS",
    help="between looks at the store",
)
def command(source: str, folder: Path, every: float) -> None:
    """Bring the models of an object store into a folder, and follow what changes there.

    It ends when it is interrupted. `MODELS=s3://bucket/models understudy serve` does the same by
    itself. Its metrics are in FOLDER/.mirror/metrics.prom.
    """
    from service.mirroring.mirror_process import mirror_store
    from service.repository.object_store.bucket import bucket_url

    url = bucket_url(source)
    if url is None:
        raise click.UsageError(
            f"SOURCE: {source} is no object store; expected such as s3://bucket/prefix."
        )
    mirror_store(url, folder, every)
