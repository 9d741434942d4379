"""Removes events that are too old, and the oldest ones when there are too many."""

from heapq import merge

from service.events import event_bundles, event_statements
from service.events.database import Transaction

# Deleting many at once would keep the other workers' writers waiting.
_ROWS_AT_ONCE = 500
_BUNDLES_AT_ONCE = 20
# A worker checks every minute. After a gap or a step back of more than this, nothing is removed by
# its age for as long: the time of day may be wrong, and may be corrected soon.
_GAP_S = REST_S = 3600.0
# A rest that has been over for longer was perhaps never kept: the clock has jumped again.
_KEPT_S = 7 * 24 * 3600.0


def may_go_by_age(run: Transaction, now: float) -> bool:
    """Whether events may be removed by their age; records the time of this check.

    Otherwise a clock that is a year ahead for a moment would empty the store. A pause also ends
    without checks in between, or a service that runs for minutes a day would remove nothing.

    Args:
        run: a transaction of the store.
        now: the time of day, in seconds since the epoch.
    """
    known = run.rows(event_statements.LAST_LOOK, {})
    looked_at, rests_until = (float(each) for each in known[0]) if known else (now, 0.0)
    if rests_until and 0 <= now - rests_until <= _KEPT_S:
        rests_until = 0.0
    elif abs(now - looked_at) > _GAP_S:
        rests_until = now + REST_S
    run.change(event_statements.NOTE_LOOK, {"looked_at": now, "rests_until": rests_until})
    return not rests_until


def expire_bundles(run: Transaction, before: float) -> int | None:
    """Remove some bundles whose last request was answered before then.

    Returns:
        How many requests were removed that had no rows; ``None`` where there is no such bundle.
    """
    bundles = run.rows(event_bundles.OLDER, {"before": before, "most": _BUNDLES_AT_ONCE})
    places = [
        {"model": model, "first_at": first_at, "first_id": first_id}
        for model, first_at, first_id, _ in bundles
    ]
    run.change_all(event_bundles.REMOVE, places)
    return sum(int(count) for *_, count in bundles) if bundles else None


def expire_rows(run: Transaction, before: float) -> int | None:
    """Remove some rows that are older than that; return how many, ``None`` where there is none."""
    return run.change(event_statements.EXPIRE, {"before": before, "most": _ROWS_AT_ONCE}) or None


def shrink(run: Transaction, most_bytes: float) -> int | None:
    """Remove some of the oldest while there is too much; return how many, ``None`` if there is not.

    Requests without a truth go first. Those of a bundle have none: what has one is a row.

    Args:
        run: a transaction of the store.
        most_bytes: what all may take.
    """
    totals = (
        event_statements.TOTAL,
        event_statements.TOTAL_OF_SECOND_ANSWERS,
        event_bundles.TOTAL,
    )
    excess = sum(int(run.rows(each, {})[0][0]) for each in totals) - most_bytes
    if excess <= 0:
        return None
    bundles = run.rows(event_bundles.OLDEST, {"most": _BUNDLES_AT_ONCE})
    rows = run.rows(event_statements.OLDEST, {"most": _ROWS_AT_ONCE})
    if not rows and not bundles:
        rows = run.rows(event_statements.OLDEST_OF_ALL, {"most": _ROWS_AT_ONCE})
    removed, of_rows, of_bundles = 0, [], []
    by_age = merge(
        ((row[0], 0, row) for row in rows), ((bundle[0], 1, bundle) for bundle in bundles)
    )
    for _, is_bundle, (_, size, *place) in by_age:
        if excess <= 0:
            break
        excess -= int(size)
        if is_bundle:
            events, model, first_at, first_id = place
            removed += int(events)
            of_bundles.append({"model": model, "first_at": first_at, "first_id": first_id})
        else:
            model, request_id = place
            removed += 1
            of_rows.append({"model": model, "request_id": request_id})
    run.change_all(event_statements.REMOVE, of_rows)
    run.change_all(event_bundles.REMOVE, of_bundles)
    return removed
