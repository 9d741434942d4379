"""Truths in the store: what people say that answers should have been."""

import orjson

from service.events import event_statements as statements
from service.events.database import Transaction
from service.events.event_records import EventRecord, row_of
from service.events.event_rows import find_row
from service.events.feedback_records import AuditedAnswer, Result, Source, StoredTruth, Truth


def put_truth(run: Transaction, model: str, truth: Truth, now: float) -> Result | None:
    """Store a truth; one that is there with the same source is corrected.

    Args:
        run: a transaction of the store, in which the request is a row.
        model: the model's name.
        truth: what is said of one instance.
        now: seconds since the epoch.

    Returns:
        What became of it; ``None`` if it is of the source "audit" and was not handed out.
    """
    key = {"model": model, "request_id": truth.request_id}
    event = find_row(run, model, truth.request_id)
    if event is None or truth.instance >= event.instances:
        return Result.NOT_SAMPLED
    place = {**key, "instance": truth.instance}
    if truth.source is Source.AUDIT and not run.rows(statements.AUDIT, place):
        return None
    place["source"] = str(truth.source)
    text = orjson.dumps(truth.values, option=orjson.OPT_SORT_KEYS).decode()
    known = run.rows(statements.TRUTH, place)
    # As values: 26 and 26.0 are one truth, whatever it was written as on its way.
    if known and orjson.loads(known[0][0]) == truth.values:
        return Result.UNCHANGED
    run.change(statements.PUT_TRUTH, {**place, "truth": text, "given_at": now})
    return Result.CORRECTED if known else Result.STORED


def truths_of(run: Transaction, event: EventRecord) -> list[StoredTruth]:
    """Return all truths of a request, of all its instances and from all sources."""
    key = {"model": event.model, "request_id": event.request_id}
    found = []
    for instance, source, text, given_at, corrections in run.rows(statements.TRUTHS_OF, key):
        weight = 0.0
        if source == Source.AUDIT:
            weights = run.rows(statements.AUDIT, {**key, "instance": instance})
            weight = float(weights[0][0]) if weights else 0.0
        found.append(
            StoredTruth(
                event.request_id,
                int(instance),
                Source(source),
                orjson.loads(text),
                float(given_at),
                int(corrections),
                weight,
            )
        )
    return found


def audited_answers(run: Transaction, model: str, version: int) -> list[AuditedAnswer]:
    """Return a version's answers that were audited, in the order in which the truths came."""
    rows = run.rows(statements.AUDITED, {"model": model, "version": version})
    return [
        AuditedAnswer(
            row_of(outputs, int(instance), int(instances)), orjson.loads(truth), signature
        )
        for signature, outputs, instances, instance, truth in rows
    ]
