"""``retrain``: train and publish if there is new data; for schedulers."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.events.audited_quality import WORSE, quality_report, unknown_quality
from service.events.event_store import EventStore
from service.repository.object_store.refreshing import bring_up_to_date
from service.repository.rollout_policy import RolloutRules
from training import tasks
from training.data.feedback.given_truths import DEFAULT_SHARE, Feedback, GivenTruth
from training.errors import UsageError
from training.fitting import config as configuration
from training.publishing.live_version import find_live_version
from understudy import event_store, options
from understudy.help import TRAINING, Command, Option
from understudy.options import WholeNumber, explicit_settings, model, training_settings
from understudy.parameter_types import FiniteRange, PathName

if TYPE_CHECKING:
    from training.workflows.retrain import FeedbackOccasion

_FEEDBACK, _RESULT = "Feedback", "The result"


@click.command(
    cls=Command,
    panel=TRAINING,
    short_help="train and publish if there is new data; for cron",
    examples={
        "retrain mpg --data cars.csv": "train only if the data has changed",
        "retrain mpg --metrics-file /var/lib/node_exporter/mpg.prom": "report to Prometheus",
        "retrain mpg --feedback --after-truths 200 --rollout": "learn from what clients sent",
        "retrain mpg --feedback --after-harm --rollout": "only when live answers have become worse",
    },
)
@model()
@training_settings
@click.option(
    "--metrics-file",
    cls=Option,
    type=PathName(),
    metavar="FILE",
    help="result for Prometheus' textfile collector",
    panel=_RESULT,
)
@options.rollout(_RESULT)
@click.option(
    "--feedback",
    is_flag=True,
    cls=Option,
    help="learn from truths that clients sent as well",
    panel=_FEEDBACK,
)
@event_store.store(_FEEDBACK)
@click.option(
    "--after-truths",
    cls=Option,
    type=WholeNumber(),
    metavar="N",
    shown=1,
    help="wait for so many new truths",
    panel=_FEEDBACK,
)
@click.option(
    "--after-harm",
    is_flag=True,
    cls=Option,
    help="wait until audits show worse answers",
    panel=_FEEDBACK,
)
@click.option(
    "--feedback-share",
    cls=Option,
    type=FiniteRange(0, 0.9, min_open=True),
    metavar="X",
    shown=DEFAULT_SHARE,
    help="largest share in training",
    panel=_FEEDBACK,
)
def command(
    model: str,
    config: Path | None,
    metrics_file: Path | None,
    rollout: bool,
    rollout_rules: RolloutRules | None,
    feedback: bool,
    store: str | None,
    after_truths: int | None,
    after_harm: bool,
    feedback_share: float | None,
    **settings: Any,
) -> None:
    """Train and publish a model if its data differs from what published versions learned from.

    Exit codes: 0 published, 3 refused by a gate, 4 no new data, 5 another retraining is running.
    """
    task = tasks.get(model)
    toml = {} if config is None else configuration.read_toml(config)
    if toml.get("no-publish"):
        raise UsageError(f"{config}: no-publish must be false: a retraining publishes.")
    given = explicit_settings(settings)
    resolved = configuration.resolve(task.name, task.architectures, toml, given)
    trial = options.rollout_rules(rollout, rollout_rules)
    location = None
    if feedback:
        location = event_store.location_of(store)
    elif store or after_truths or after_harm or feedback_share:
        raise click.UsageError(
            "--store, --after-truths, --after-harm and --feedback-share go with --feedback."
        )
    from training.workflows import retrain as workflow

    def stored() -> "FeedbackOccasion":
        assert location is not None
        events = event_store.open_store(location)
        truths = _stored_feedback(events, task.name, feedback_share or DEFAULT_SHARE)
        quality = _live_quality(events, resolved.out, task.name) if after_harm else None
        occasion = workflow.Occasion(
            # Each of the two is a reason alone; by default, any truth is.
            after_truths=after_truths or (None if after_harm else 1),
            harm=quality["sentence"] if quality else "",
            is_harmed=quality is not None and quality["state"] == WORSE,
        )
        return truths, occasion

    workflow.retrain(resolved, metrics_file, None if location is None else stored, rollout=trial)


def _stored_feedback(store: EventStore, model: str, share: float) -> Feedback:
    """Return all truths of a model; a running service may write into the store meanwhile."""
    # Before the reading, so that no audit counts as older than the week that is held.
    now = time.time()
    truths = [
        GivenTruth(
            place=f"{event.request_id}, row {truth.instance}",
            source=str(truth.source),
            answered_at=event.answered_at,
            given_at=truth.given_at,
            weight=truth.weight,
            signature=event.signature,
            inputs=event.row_of_inputs(truth.instance),
            truth=truth.values,
        )
        for event, given in store.events(model, labelled_only=True)
        for truth in given
    ]
    return Feedback(taken_at=now, share=share, truths=tuple(truths))


def _live_quality(store: EventStore, out: Path, model: str) -> dict[str, Any]:
    """Return what audits say of the live version's answers, as ``GET .../drift`` does."""
    # What serves may have changed since the last run brought a mirror of the store up to date.
    bring_up_to_date(out, model)
    live = find_live_version(out, model)
    if live is None:
        return unknown_quality("No version serves.")
    return quality_report(live.card, store.audited(model, live.version))
