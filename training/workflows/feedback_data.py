"""The data of a training with what live traffic brought, and what the card says of both."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from training.data.feedback.given_truths import Feedback
from training.data.feedback.merging import REPEATS, merge
from training.data.load import Loaded
from training.errors import UsageError
from training.tasks.task_interface import Task


def with_feedback(task: Task[Any], loaded: Loaded[Any], feedback: Feedback | None) -> Loaded[Any]:
    """Return data with feedback merged; as it is where there is no feedback to merge.

    Raises:
        UsageError: the task cannot learn from feedback.
    """
    if feedback is None:
        return loaded
    check_learns(task)
    form = task.feedback_rows
    assert form is not None
    fingerprint = task.summary(loaded.data)["fingerprint"]
    return dataclasses.replace(loaded, feedback=merge(form, loaded.data, fingerprint, feedback))


def check_learns(task: Task[Any]) -> None:
    """Check that a task can learn from feedback.

    Raises:
        UsageError: it cannot.
    """
    if task.feedback_rows is None:
        raise UsageError(
            f"{task.name} cannot learn from feedback: its task does not say how truths become "
            "rows (feedback_rows)."
        )


def summary_of(task: Task[Any], loaded: Loaded[Any], feedback: Feedback | None) -> dict[str, Any]:
    """Say what the data is, for the card; with feedback, what became of it, and up to when."""
    summary, merged = task.summary(loaded.data), loaded.feedback
    if merged is None or feedback is None:
        return summary
    last = datetime.fromtimestamp(merged.until, UTC).isoformat(timespec="seconds")
    return {
        **summary,
        "fingerprint": merged.fingerprint,
        "feedback": {
            "data_fingerprint": summary["fingerprint"],
            "until": merged.until,
            "until_utc": last if merged.until else "",
            "largest_share": feedback.share,
            "repeats": dict(REPEATS),
            **merged.counts,
        },
    }


def data_alone_of(data: Mapping[str, Any]) -> Any:
    """Return the fingerprint of the data that a version has learned from, without its feedback.

    Args:
        data: what the version's card says of it, as ``summary_of`` does.
    """
    return data.get("feedback", {}).get("data_fingerprint", data.get("fingerprint"))
