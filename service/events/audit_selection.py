"""Which requests people are asked to label, and that they were asked."""

from collections.abc import Sequence

from service.events import event_statements as statements
from service.events.database import Parameters, Transaction
from service.events.event_rows import event_of
from service.events.feedback_records import Audit


def hand_out_late(
    run: Transaction, model: str, lease_s: float, most: int, now: float
) -> list[Audit]:
    """Hand out again audits that were not labelled in time.

    Args:
        run: a transaction of the store.
        model: the model's name.
        lease_s: seconds for which an audit is reserved for the labeller who got it. One that was
            handed out more than that in the future, by a wrong clock, is handed out again too.
        most: how many are wanted.
        now: seconds since the epoch.
    """
    late = {"model": model, "before": now - lease_s, "after": now + lease_s, "most": most}
    found = [Audit(event_of(row), int(row[-1])) for row in run.rows(statements.LATE_AUDITS, late)]
    _note(run, found, now)
    return found


def hand_out_new(
    run: Transaction, statement: str, parameters: Parameters, most: int, now: float
) -> list[Audit]:
    """Hand out requests that were not handed out before; one instance of each, chosen by its id.

    Args:
        run: a transaction of the store.
        statement: finds them, with their places in the order of audits in the last column.
        parameters: of the statement, but for ``most``.
        most: how many are wanted.
        now: seconds since the epoch.
    """
    if most <= 0:
        return []
    rows = run.rows(statement, {**parameters, "most": most})
    found = [Audit(event := event_of(row), int(row[-1]) % event.instances) for row in rows]
    _note(run, found, now)
    return found


def _note(run: Transaction, audits: Sequence[Audit], now: float) -> None:
    run.change_all(
        statements.HAND_OUT,
        [
            {
                "model": audit.event.model,
                "request_id": audit.event.request_id,
                "instance": audit.instance,
                "handed_at": now,
                "weight": audit.event.instances / audit.event.rate,
            }
            for audit in audits
        ],
    )
