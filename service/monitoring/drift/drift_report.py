"""What is known of a version's drift, as JSON and in sentences."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from service.monitoring.drift.drift_monitor import ObservedDrift
from service.monitoring.drift.effect_size import (
    jensen_shannon_distance,
    population_stability_index,
    stability_index_by_chance,
)
from service.monitoring.drift.evidence_blocks import AVERAGE_RUN_LENGTH, BLOCK_ROWS
from service.monitoring.drift.expected_accuracy import BLINDNESS, expected_accuracy
from service.repository.reference.binned_field import INPUTS, BinnedField

OFF, NO_REFERENCE, WAITING = "off", "no reference", "waiting"
NO_DRIFT, DRIFT = "no drift", "drift"

_SENTENCES = {
    OFF: "Drift is not looked for: UNDERSTUDY_DRIFT is off.",
    NO_REFERENCE: (
        "This version brings no reference, so that there is nothing to compare live rows with. "
        "Versions bring one that were trained with 100 test rows or more, or imported with as many "
        "samples."
    ),
}


def without_reference(state: str) -> dict[str, Any]:
    """Return the report of a version whose rows are not compared; why, ``state`` says."""
    return {"state": state, "sentence": _SENTENCES[state], "fields": []}


def drift_report(observed: ObservedDrift) -> dict[str, Any]:
    """Return the report of a version whose rows are compared with its reference."""
    reference, known = observed.blocks.reference, observed.known
    state = WAITING
    if known is not None and known.blocks:
        state = DRIFT if known.evidence >= AVERAGE_RUN_LENGTH else NO_DRIFT
    fields = [_field(observed, field) for field in reference.fields]
    fields.sort(key=lambda field: -(field["evidence"] or 0.0))
    report: dict[str, Any] = {
        "state": state,
        "sentence": _sentence(state, observed, fields),
        "evidence": known.evidence if known is not None else 0.0,
        "alarm_at": AVERAGE_RUN_LENGTH,
        "blocks": known.blocks if known is not None else 0,
        "rows": known.rows if known is not None else 0,
        "reference": {
            "rows": reference.rows,
            "origin": reference.origin,
            "held_out": reference.held_out,
        },
        "fields": fields,
    }
    if reference.probability:
        report["expected_accuracy"] = _expected(observed)
    return report


def _sentence(state: str, observed: ObservedDrift, fields: list[dict[str, Any]]) -> str:
    of = f"{observed.blocks.reference.rows:,} rows of {observed.blocks.reference.origin}"
    if state == WAITING:
        return (
            f"Live rows will be compared with {of} when the first {BLOCK_ROWS} of them have been "
            "counted."
        )
    assert observed.known is not None
    if state == NO_DRIFT:
        return f"{observed.known.rows:,} live rows give no evidence that they are unlike {of}."
    strange = [field["field"] for field in fields if field["evidence"] >= AVERAGE_RUN_LENGTH]
    named = ", ".join(strange[:3] or [fields[0]["field"]])
    return f"Live rows are unlike {of}, most of all in {named}."


def _field(observed: ObservedDrift, field: BinnedField) -> dict[str, Any]:
    known = observed.known.fields.get(field.name) if observed.known is not None else None
    reference = np.array(field.counts, np.float64)
    live = np.array(known.history) if known is not None else np.zeros_like(reference)
    rows = float(live.sum())
    shares, before = live / max(rows, 1.0), reference / reference.sum()
    report: dict[str, Any] = {
        "field": field.name,
        "evidence": known.evidence if known is not None else 0.0,
        "recent_rows": round(rows, 1),
        "jensen_shannon_distance": None,
        "psi": None,
        "psi_by_chance": None,
        "sentence": "No row of it has been counted yet.",
        "bins": [
            {"bin": name, "reference": round(float(then), 5), "live": round(float(now), 5)}
            for name, then, now in zip(field.bin_names, before, shares, strict=True)
        ],
    }
    if not rows:
        return report
    index = population_stability_index(live, reference)
    by_chance = stability_index_by_chance(rows, float(reference.sum()), len(reference))
    return report | {
        "jensen_shannon_distance": round(jensen_shannon_distance(live, reference), 4),
        "psi": round(index, 4),
        "psi_by_chance": round(by_chance, 4),
        "sentence": _field_sentence(field, shares, before, index > by_chance),
    }


def _field_sentence(
    field: BinnedField,
    shares: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
    is_beyond_chance: bool,
) -> str:
    """Return which bin has gained most."""
    if not is_beyond_chance:
        return "It differs from the reference by no more than chance would let it."
    place = int(np.argmax(shares - before))
    whose = "live rows" if field.side == INPUTS else "answers"
    return (
        f"{field.name} is {field.bin_names[place]} in {shares[place]:.0%} of {whose}, and was in "
        f"{before[place]:.0%} of the reference's."
    )


def _expected(observed: ObservedDrift) -> dict[str, Any]:
    reference = observed.blocks.reference
    outputs = [
        int(observed.totals[field.name].sum()) for field in reference.fields if field.side != INPUTS
    ]
    found = expected_accuracy(observed.expected_right, max(outputs, default=0))
    return {
        "live": None if found is None else asdict(found),
        "reference": reference.expected_accuracy,
        "blind_to": BLINDNESS,
    }
