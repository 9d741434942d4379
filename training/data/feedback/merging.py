"""Merges truths with a model's data: which rows are learned from, and which judge.

A row is its inputs as the network sees them. Of a row with several truths one is taken: an audit
before what a user says, then the latest. A row of the data itself is not added again. What a row is
for is decided by its hash (``row_split``). Three kinds are held out:

- rows with an audit of the last week, of which the gate on audits is made;
- rows that the hash holds out, for good;
- what users said of rows to validate with: they say it of what is wrong, and that is no fair sample
  to choose an epoch or a temperature by.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Generic

import numpy as np

from training.array_types import Data
from training.data.feedback.given_truths import AUDIT, HELD_S, USER, Feedback, GivenTruth
from training.data.feedback.row_form import Row, RowForm, UnfitTruthError
from training.data.feedback.row_split import Split, split_of
from training.data.own.bad_rows import BadRows

# How often a row is learned from in an epoch. An audit is of a random row, by somebody who did not
# see the answer; what a user volunteers may be a mistake or a joke.
REPEATS: Mapping[str, int] = {USER: 1, AUDIT: 2}
_LEFT_OUT = ("contradictory", "in_data", "held_for_gate", "reserved")

_Told = tuple[GivenTruth, Row]


@dataclass(frozen=True, slots=True)
class Audited:
    """An audit that judges.

    Attributes:
        row: what was asked, and is true of it.
        weight: how many rows of all traffic it stands for.
    """

    row: Row
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged(Generic[Data]):
    """Data with feedback.

    Attributes:
        data: to learn from.
        fingerprint: of it.
        held: the audits that the gate may use.
        learned: the keys of all rows of feedback that are learned from or validated with.
        unfit: the truths that could not become rows.
        counts: what became of the truths and rows, as JSON for the card.
        until: when the last of the truths came: seconds since the epoch; 0 without any, and none of
            a clock that was ahead.
    """

    data: Data
    fingerprint: str
    held: tuple[Audited, ...] = ()
    learned: frozenset[str] = frozenset()
    unfit: BadRows
    counts: Mapping[str, Any] = field(default_factory=dict)
    until: float = 0.0

    def story(self) -> str:
        """Return in a sentence what became of the truths."""
        c = self.counts
        sources = ", ".join(f"{c['truths'][name]:,} of source {name}" for name in REPEATS)
        left = ", ".join(
            f"{c[name]:,} {what}"
            for name, what in (
                ("unfit", "do not fit the data"),
                ("repeated", "of a row that another truth decides"),
                ("in_data", "rows are in the data already"),
                ("held_for_gate", "rows held for the gate on audits"),
                ("reserved", "rows never learned from, by their hash"),
                ("over_limit", "rows over the limit"),
            )
            if c[name]
        )
        contradicted = c["contradictory"] and f"; {c['contradictory']:,} rows with contradictions"
        return (
            f"{sources}; {c['learned']:,} rows learned from, {c['validated']:,} validated with"
            + (f"; {left}" if left else "")
            + (contradicted or "")
        )


def merge(form: RowForm[Data], data: Data, fingerprint: str, feedback: Feedback) -> Merged[Data]:
    """Add to data what live traffic brought.

    Args:
        form: how truths become rows.
        data: standard or own.
        fingerprint: of it.
        feedback: the truths, and how much of them may be learned from.
    """
    unfit = BadRows(1.0)
    given = _rows(form, data, feedback.truths, unfit)
    sorting = _Sorting(form, form.keys(data), feedback.taken_at - HELD_S)
    # In the order of their keys: the same rows are the same data, however they came.
    for key in sorted(given):
        sorting.add(key, given[key])
    room = int(feedback.share / (1 - feedback.share) * form.learned(data))
    kept = _within(sorting.training, room)
    rows = [*(row for _, row in kept), *sorting.validation]
    repeats = [REPEATS[truth.source] for truth, _ in kept] + [0] * len(sorting.validation)
    merged = data
    if rows:
        fingerprint = _fingerprint(fingerprint, rows, repeats)
        merged = form.with_rows(data, rows, np.array(repeats, np.int64), fingerprint)
    return Merged(
        data=merged,
        fingerprint=fingerprint,
        held=tuple(sorting.held),
        learned=frozenset(row.key for row in rows),
        unfit=unfit,
        counts={
            "truths": _by_source(feedback.truths),
            "unfit": len(unfit),
            "repeated": sum(map(len, given.values())) - len(given),
            **{name: sorting.counts[name] for name in _LEFT_OUT},
            "over_limit": len(sorting.training) - len(kept),
            "learned": len(kept),
            "learned_of": _by_source([truth for truth, _ in kept]),
            "validated": len(sorting.validation),
        },
        until=feedback.last_of(truth.given_at for truth in feedback.truths),
    )


class _Sorting:
    """Decides row by row what each is for.

    Args:
        form: how truths become rows.
        known: the keys of the rows of the data.
        held_after: audits of rows that were answered later judge.
    """

    def __init__(self, form: RowForm[Any], known: frozenset[str], held_after: float) -> None:
        self._form = form
        self._known = known
        self._held_after = held_after
        self.training: list[_Told] = []
        self.validation: list[Row] = []
        self.held: list[Audited] = []
        self.counts: Counter[str] = Counter()

    def add(self, key: str, truths: Sequence[_Told]) -> None:
        """Decide what the row of a key is for; ``truths`` are all that are about it."""
        self.counts["contradictory"] += len({row.target for _, row in truths}) > 1
        if key in self._known:
            self.counts["in_data"] += 1
            return
        recent = [
            Audited(row, truth.weight)
            for truth, row in truths
            if truth.source == AUDIT and truth.answered_at > self._held_after
        ]
        if recent:
            self.held += [audit for audit in recent if audit.weight > 0]
            self.counts["held_for_gate"] += 1
            return
        truth, row = max(truths, key=_precedence)
        split = split_of(key)
        if split is Split.VALIDATION and not self._form.has_validation:
            split = Split.TRAINING
        if split is Split.TRAINING:
            self.training.append((truth, row))
        elif split is Split.VALIDATION and truth.source == AUDIT:
            self.validation.append(row)
        else:
            self.counts["reserved"] += 1


def _rows(
    form: RowForm[Data], data: Data, truths: Sequence[GivenTruth], unfit: BadRows
) -> Mapping[str, list[_Told]]:
    """Return the truths of each row, by the row's key; note those that fit none."""
    given: dict[str, list[_Told]] = defaultdict(list)
    for truth in truths:
        try:
            row = form.row(truth, data)
        except UnfitTruthError as error:
            unfit.add(truth.place, str(error))
        else:
            given[row.key].append((truth, row))
    return given


def _precedence(item: _Told) -> tuple[bool, float, str]:
    truth = item[0]
    return truth.source == AUDIT, truth.given_at, truth.place


def _within(rows: Sequence[_Told], room: int) -> list[_Told]:
    """Return as many rows as there is room for: audits before what users say, later ones first."""
    kept = set()
    for truth, row in sorted(rows, key=_precedence, reverse=True):
        room -= REPEATS[truth.source]
        if room < 0:
            break
        kept.add(row.key)
    return [(truth, row) for truth, row in rows if row.key in kept]


def _by_source(truths: Sequence[GivenTruth]) -> dict[str, int]:
    return {name: sum(truth.source == name for truth in truths) for name in REPEATS}


def _fingerprint(base: str, rows: Sequence[Row], repeats: Sequence[int]) -> str:
    lines = [f"{r.key} {r.target!r} {n}" for r, n in zip(rows, repeats, strict=True)]
    return sha256("\n".join([base, *lines]).encode()).hexdigest()
