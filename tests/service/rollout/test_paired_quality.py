"""Truths of rows that both versions answered: what they show, and what labellers cannot make of them."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.rollout_evidence import clopper_pearson_upper
from service.events.row_loss import RowLoss, row_loss
from service.events.second_answers import AuditedPair
from service.repository.contract import Field, Signature
from service.repository.rollout_policy import RolloutRules
from service.rollout.e_processes import log_evidence_of_losses
from service.rollout.paired_betting import (
    Differences,
    grouped,
    log_evidence_of_worse,
    stakes_of,
    upper_bound_of_worse,
)
from service.rollout.paired_quality import paired_quality
from tests.savedmodels.saving import card

ALPHA = 0.01
CLASSES = RowLoss(Field(name="y", dtype="string", shape=(None,)), "error rate", "", 1.0)


def pair(champion: Any, candidate: Any, truth: Any, weight: float = 1.0) -> AuditedPair:
    known = None if truth is None else {"y": truth}
    return AuditedPair({"y": champion}, {"y": candidate}, known, weight)


def test_evidence_of_rows_of_equal_weight_is_that_of_won_and_lost_pairs() -> None:
    values = np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 50)
    rows = grouped(values, stakes_of(np.full(len(values), 7.0)))
    assert log_evidence_of_worse(rows) == pytest.approx(log_evidence_of_losses(9, 2))
    # Rows on which both do alike say nothing of harm, and exclude it.
    assert upper_bound_of_worse(grouped(values[11:], np.ones(50)), ALPHA) < 0.2
    assert upper_bound_of_worse(grouped(values[:0], values[:0]), ALPHA) == 1


def test_the_expectation_is_at_most_one_for_rows_of_any_weight() -> None:
    """Exactly, over all outcomes of rows that are lost as often as won, at each end of a stream."""
    stakes = stakes_of(np.array([4.0, 1.0, 2.0, 8.0, 3.0]))
    assert stakes.tolist() == [1, 0.25, 0.5, 1, 0.375]
    for n in range(1, 6):
        outcomes = np.array(np.meshgrid(*[[-1.0, 0.0, 1.0]] * n)).reshape(n, -1).T
        chances = np.prod(np.where(outcomes == 0, 0.5, 0.25), axis=1)
        found = [math.exp(log_evidence_of_worse(grouped(o, stakes[:n]))) for o in outcomes]
        assert chances @ np.array(found) == pytest.approx(1)


def test_bounds_hold_at_every_moment_for_numbers_of_different_weights() -> None:
    random = np.random.default_rng(4)
    missed, streams = 0, 60
    for _ in range(streams):
        weights = random.choice([1.0, 3.0], 400)
        # Heavier rows are worse; the weighted mean is (0.5 * 0 + 1.5 * 0.2) / 2.
        values = random.uniform(-0.5, 0.5, 400) + np.where(weights > 1, 0.2, 0.0)
        stakes = stakes_of(weights)
        missed += any(
            upper_bound_of_worse(grouped(values[:n], stakes[:n]), 0.1) < 0.15
            for n in (5, 20, 80, 200, 400)
        )
    assert clopper_pearson_upper(missed, streams) < 0.2
    assert missed / streams <= 0.1


def test_harm_is_shown_by_known_truths_alone() -> None:
    worse = [pair("a", "b", "a")] * 14 + [pair("a", "a", "a")] * 60
    found = paired_quality(CLASSES, worse, ALPHA)
    assert (found.truths, found.lost, found.won) == (74, 14, 0)
    assert (found.champion, found.candidate) == (0, pytest.approx(14 / 74))
    assert found.log_evidence > math.log(7 / ALPHA)
    better = paired_quality(CLASSES, [pair("b", "a", "a"), *worse[14:]] * 4, ALPHA)
    assert better.log_evidence < 0
    assert better.difference_at_most < 0.02
    # Both wrong is no difference, and an answer that is there for one of them alone is no pair.
    both = [pair("b", "c", "a"), AuditedPair({"y": "a"}, {}, {"y": "a"}, 1.0)]
    assert (paired_quality(CLASSES, both, ALPHA).truths, found.problem) == (1, "")


@pytest.mark.parametrize(
    "labelled",
    [
        lambda champion, candidate: champion != candidate,  # Where the two disagree.
        lambda champion, candidate: candidate == "a",  # Where the candidate is right.
        lambda champion, candidate: False,
    ],
)
def test_whoever_chooses_what_to_label_promotes_nothing_worse(labelled: Any) -> None:
    """Of 1,000 rows that were handed out the candidate loses 60, and the champion none."""
    answers = [("a", "b")] * 60 + [("a", "a")] * 940
    found = paired_quality(
        CLASSES, [pair(*both, "a" if labelled(*both) else None) for both in answers], ALPHA
    )
    assert found.handed_out == 1000
    assert found.difference_at_most > 0.06
    # What both answer alike needs no label to be no difference.
    equal = paired_quality(CLASSES, [pair("a", "a", None)] * 1000, ALPHA)
    assert equal.difference_at_most < 0.02
    assert equal.truths == 0


def test_what_is_missing_depends_on_the_rules_and_the_next_step() -> None:
    few = paired_quality(CLASSES, [pair("a", "a", "a")] * 60, ALPHA)
    rules = RolloutRules(quality_margin=0.02)
    # At 5 % of the requests a harm of 40 % is one of 2 % of all.
    assert few.missing(rules, 0.05) == ""
    assert few.missing(rules, 0.5).startswith("By the truths its error rate may be up to ")
    assert few.missing(RolloutRules(quality_margin=1), 1.0) == ""
    asked = RolloutRules(min_truths=100)
    assert few.missing(asked, 0.01) == "The truths of 60 of 100 rows are known."
    none = paired_quality(CLASSES, [], ALPHA)
    assert none.missing(rules, 1.0) == ""
    assert none.missing(asked, 0.01) == "The truths of 0 of 100 rows are known."
    unjudged = paired_quality(None, [pair("a", "a", "a")], ALPHA)
    assert unjudged.missing(rules, 1.0) == ""
    assert "says nothing to judge" in unjudged.missing(asked, 0.01)


def contract(output: Field, rows: int | None = None) -> dict[str, Signature]:
    """A contract of requests with any number of rows; of none, where ``rows`` is a number."""
    x = Field(name="x", dtype="float32", shape=(rows,))
    return {"serving_default": Signature("serving_default", (x,), (output,))}


def test_an_answer_without_rows_is_judged_if_it_is_one_value() -> None:
    """All of a list is one answer then, and none that an error of a number can be of."""
    some, one = (Field(name="y", dtype="int64", shape=shape) for shape in ((None,), ()))
    assert row_loss(contract(some, rows=3), None) is None
    assert row_loss(contract(some), None) is not None
    assert row_loss(contract(one, rows=3), None) is not None


def test_numbers_are_judged_by_errors_up_to_ten_of_the_cards() -> None:
    number = contract(Field(name="y", dtype="float32", shape=(None,), unit="km"))
    of_card = replace(card("m", number), evaluation={"headline": {"value": 0.5}})
    loss = row_loss(number, of_card)
    assert loss is not None
    assert (loss.metric, loss.unit, loss.scale) == ("mean absolute error", "km", 5.0)
    assert loss.losses([(1.0, 2.0), (0.0, -50.0), (None, 1.0)]).tolist() == [0.2, 1, 1]
    found = paired_quality(loss, [pair(1.0, 2.0, 1.0), pair(1.0, 2.0, None)], ALPHA)
    assert (found.lost, found.truths, found.handed_out) == (1, 1, 2)
    assert found.shown(found.candidate) == "1 km"
    # A candidate that answers with something else is wrong.
    odd = [pair(1.0, [1.0], 1.0), pair(1.0, "1.0", 1.0), pair(1.0, [1.0], None)]
    found = paired_quality(loss, odd, ALPHA)
    assert (found.lost, found.candidate, found.difference_at_most) == (2, 1.0, 1.0)
    # What was asked of another signature is no pair.
    apart = [pair(1.0, 2.0, 1.0), replace(pair(1.0, 5.0, 1.0), signature="three")]
    assert paired_quality(loss, apart, ALPHA).handed_out == 1
    # Nothing bounds the errors of a number without a card, nor of a vector.
    assert row_loss(number, None) is None
    vector = contract(Field(name="y", dtype="float32", shape=(None, 3)))
    assert row_loss(vector, card("m", vector, task="regression")) is None
    # A class is right or wrong also without one.
    assert row_loss(contract(Field(name="y", dtype="string", shape=(None,))), None) is not None


def test_no_more_false_rollbacks_than_alpha_at_a_look_at_every_truth() -> None:
    """2,000 candidates that lose as often as they win; in short of the benchmark."""
    random = np.random.default_rng(5)
    streams, rows = 2000, 200
    lost = (random.random((streams, rows)) < 0.5).cumsum(axis=1)
    highest = np.zeros(streams)
    for n in (*range(1, 40), *range(40, rows, 10)):
        for k in np.unique(lost[:, n - 1]):
            values, counts = np.array([1.0, -1.0]), np.array([k, n - k], np.float64)
            e = log_evidence_of_worse(Differences(values, np.ones(2), counts))
            highest[lost[:, n - 1] == k] = np.maximum(highest[lost[:, n - 1] == k], e)
    false = int((highest >= -math.log(ALPHA)).sum())
    assert false / streams <= ALPHA
