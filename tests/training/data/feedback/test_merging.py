"""Truths and data become one, with each row where its hash says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from training.data.dataset_types import Texts
from training.data.feedback.given_truths import AUDIT, HELD_S, USER, Feedback, GivenTruth
from training.data.feedback.merging import Merged, merge
from training.data.feedback.row_split import Split, row_key, split_of
from training.data.feedback.text_rows import TextRows

NOW = 2_000_000_000.0
LONG_AGO = NOW - 2 * HELD_S
DATA = Texts(
    train=[b"good %d" % number for number in range(300)],
    train_labels=np.arange(300) % 2,
    test=[b"a test"],
    test_labels=np.zeros(1, np.int64),
    labels=("bad", "good"),
    fingerprint="standard",
)


def texts_for(split: Split, count: int) -> list[str]:
    """Return texts that the hash puts where ``split`` says."""
    found, number = [], 0
    while len(found) < count:
        text = f"came {number}"
        if split_of(row_key(text.encode())) is split:
            found.append(text)
        number += 1
    return found


LEARNED = texts_for(Split.TRAINING, 400)


def truth(text: str = LEARNED[0], label: Any = "good", **changes: Any) -> GivenTruth:
    known = GivenTruth(
        place="id, row 0",
        source=USER,
        answered_at=LONG_AGO,
        given_at=LONG_AGO,
        weight=0.0,
        signature="serving_default",
        inputs={"text": text},
        truth={"label": label},
    )
    return replace(known, **changes)


def merged(*truths: GivenTruth, share: float = 0.25) -> Merged[Texts]:
    feedback = Feedback(taken_at=NOW, share=share, truths=truths)
    return merge(TextRows(), DATA, "standard", feedback)


def test_a_truth_becomes_a_row_behind_the_others() -> None:
    found = merged(truth(f"  {LEARNED[0]} "))
    assert found.data.train == [*DATA.train, LEARNED[0].encode()]
    assert found.data.train_labels.tolist() == [*DATA.train_labels, 1]
    assert found.data.added is not None
    assert found.data.added.repeats.tolist() == [1]
    assert (found.data.test, found.data.fingerprint) == (DATA.test, found.fingerprint)
    assert found.fingerprint != "standard"
    assert found.learned == {row_key(LEARNED[0].encode())}
    assert found.until == LONG_AGO


def test_without_feedback_the_data_is_what_it_was() -> None:
    found = merged()
    assert found.data is DATA
    assert (found.fingerprint, found.until, found.held) == ("standard", 0.0, ())


def test_the_order_of_the_truths_changes_nothing() -> None:
    truths = [truth(text, given_at=LONG_AGO + n) for n, text in enumerate(LEARNED[:20])]
    assert merged(*truths).fingerprint == merged(*truths[::-1]).fingerprint
    later = [replace(each, given_at=each.given_at + 5, place="other") for each in truths]
    assert merged(*truths).fingerprint == merged(*later).fingerprint


def test_what_does_not_fit_is_counted_with_its_place() -> None:
    found = merged(
        truth(label="ugly", place="a, row 0"),
        truth(inputs={}, place="b, row 1"),
        truth("", place="c, row 0"),
        truth(truth={"score": 1}, place="d, row 0"),
        truth("x" * 50_001, place="e, row 0"),
        truth(inputs={"text": [1]}, place="f, row 0"),
    )
    assert found.unfit.lines == [
        "a, row 0: label is 'ugly', which is no class of the data",
        "b, row 1: text missing; fields marked as sensitive are not stored",
        "c, row 0: text missing",
        "d, row 0: label missing; fields marked as sensitive are not stored",
        "e, row 0: text has 50,001 bytes, more than 50,000",
        "f, row 0: text is not a string",
    ]
    assert found.counts["unfit"] == 6
    assert found.data is DATA


def test_the_latest_truth_of_a_row_wins_and_an_audit_before_all() -> None:
    found = merged(
        truth(label="good", given_at=LONG_AGO),
        truth(label="bad", given_at=LONG_AGO + 1),
        truth(LEARNED[1], "good", source=AUDIT, weight=3.0),
        truth(LEARNED[1], "bad", given_at=LONG_AGO + 9),
    )
    assert found.counts["repeated"] == 2
    assert found.counts["contradictory"] == 2
    labels = dict(zip(found.data.train[300:], found.data.train_labels[300:], strict=True))
    assert labels == {LEARNED[0].encode(): 0, LEARNED[1].encode(): 1}
    assert "; 2 rows with contradictions" in found.story()


def test_rows_that_differ_in_case_and_blanks_are_the_same() -> None:
    found = merged(truth(LEARNED[0]), truth(f"{LEARNED[0].upper()}\n"))
    assert (found.counts["learned"], found.counts["repeated"]) == (1, 1)


@pytest.mark.parametrize("text", ["good 7", "A test"])
def test_a_row_of_the_data_is_not_counted_twice(text: str) -> None:
    found = merged(truth(text), truth(text, source=AUDIT, answered_at=NOW))
    assert found.counts["in_data"] == 1
    assert (found.data, found.held) == (DATA, ())


def test_last_weeks_audits_are_held_with_all_truths_of_their_rows() -> None:
    found = merged(
        truth(source=AUDIT, answered_at=NOW - HELD_S + 1, given_at=NOW, weight=40.0),
        truth(source=AUDIT, answered_at=NOW - 1, given_at=NOW, weight=10.0),
        truth(label="bad"),
        truth(LEARNED[1], source=AUDIT, answered_at=NOW - HELD_S - 1, given_at=NOW, weight=9.0),
        truth(LEARNED[2], answered_at=NOW, given_at=NOW),
    )
    assert [audit.weight for audit in found.held] == [40.0, 10.0]
    assert {audit.row.target for audit in found.held} == {"good"}
    assert found.counts["held_for_gate"] == 1
    assert found.learned == {row_key(text.encode()) for text in LEARNED[1:3]}
    assert not found.learned & {audit.row.key for audit in found.held}


def test_a_correction_does_not_bring_an_old_audit_back_to_the_gate() -> None:
    found = merged(truth(source=AUDIT, given_at=NOW, weight=1.0))
    assert (found.held, found.counts["learned"]) == ((), 1)


def test_the_hash_alone_says_what_a_row_is_for() -> None:
    (test,), (validation,) = texts_for(Split.TEST, 1), texts_for(Split.VALIDATION, 1)
    for source in (USER, AUDIT):
        found = merged(truth(test, source=source), truth(LEARNED[0]))
        assert (found.counts["reserved"], found.counts["learned"]) == (1, 1)
    # Users say it of what is wrong: no fair sample to choose an epoch by.
    assert merged(truth(validation)).counts["reserved"] == 1
    found = merged(truth(validation, source=AUDIT, weight=1.0))
    assert found.counts["validated"] == 1
    assert found.data.added is not None
    assert found.data.added.repeats.tolist() == [0]


def test_the_split_is_what_it_has_always_been() -> None:
    """Another hash would let rows that were held out be learned from."""
    keys = [row_key(b"row %d" % number) for number in range(20_000)]
    first = "validation training test training training test"
    assert " ".join(split_of(key) for key in keys[:6]) == first
    shares = [sum(split_of(key) is split for key in keys) / 20_000 for split in Split]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)


def test_feedback_is_at_most_a_share_of_what_is_learned_from() -> None:
    users = [truth(text, given_at=LONG_AGO + n) for n, text in enumerate(LEARNED)]
    found = merged(*users)
    # A quarter of all: a third of the 300.
    assert found.counts["learned"] == 100
    assert found.counts["over_limit"] == 300
    assert set(found.data.train[300:]) == {text.encode() for text in LEARNED[-100:]}
    assert merged(*users, share=0.5).counts["learned"] == 300


def test_audits_count_twice_and_come_first_under_the_limit() -> None:
    audits = [truth(text, source=AUDIT, weight=1.0) for text in LEARNED[:40]]
    users = [truth(text, given_at=LONG_AGO + 1) for text in LEARNED[40:]]
    found = merged(*users, *audits)
    assert found.counts["learned_of"] == {"user": 20, "audit": 40}
    assert found.data.added is not None
    assert found.data.added.repeats.sum() == 100


def test_truths_are_new_after_a_time() -> None:
    feedback = Feedback(taken_at=NOW, truths=(truth(), truth(given_at=NOW)))
    assert [feedback.new_since(at) for at in (0.0, LONG_AGO, NOW)] == [2, 1, 0]


def test_a_truth_of_a_clock_that_was_ahead_hides_none_that_comes_later() -> None:
    year = 365 * 24 * 3600.0
    ahead = truth(LEARNED[1], given_at=NOW + year)
    assert merged(truth(), ahead).until == LONG_AGO
    # It is learned from all the same.
    assert merged(truth(), ahead).counts["learned"] == 2
    # A clock that is a little ahead is none that was set.
    assert merged(truth(), truth(LEARNED[1], given_at=NOW + 60)).until == NOW + 60

    given = Feedback(taken_at=NOW, truths=(truth(given_at=NOW - 5), ahead))
    assert given.new_since(LONG_AGO) == 1
    # What was said once is no reason again.
    assert given.new_since(NOW - 5) == 0
    # A version that was given truths while the clock was ahead says so of itself.
    assert given.last_of([NOW + year, LONG_AGO]) == LONG_AGO
    assert given.last_of([NOW + year]) == 0.0
