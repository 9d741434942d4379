"""Live quality by audits, against the card."""

from dataclasses import replace

import pytest

from service.events.audited_quality import AuditedAnswer, AuditedQuality, quality_report
from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.drifting import SIGN_CONTRACT
from tests.savedmodels.saving import card

CARD = replace(
    card("sign", SIGN_CONTRACT, task="classification"),
    evaluation={"headline": {"name": "test accuracy", "value": 0.9, "low": 0.88, "high": 0.92}},
)
WEIGHT = Field(name="weight", dtype="float32", shape=(None,), minimum=0, maximum=50)
NUMBERS: Contract = {"serving_default": Signature("serving_default", (), (WEIGHT,))}


def answers(right: int, wrong: int) -> list[AuditedAnswer]:
    """Return answers of which the wrong ones come evenly among the right ones."""
    count = right + wrong
    is_wrong = [(i + 1) * wrong // count > i * wrong // count for i in range(count)]
    return [
        AuditedAnswer("serving_default", {"label": "yes"}, {"label": "no" if each else "yes"})
        for each in is_wrong
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "verdict"), [(10, 1, "open"), (1900, 100, "excluded"), (300, 300, "shown")]
)
def test_classes_against_the_cards_accuracy(right: int, wrong: int, verdict: str) -> None:
    report = quality_report(answers(right, wrong), SIGN_CONTRACT, CARD)
    assert report["audits"] == right + wrong
    assert report["mean_loss"] == pytest.approx(wrong / (right + wrong))
    assert report["low"] <= report["mean_loss"] <= report["high"]
    assert report["card"] == {"low": pytest.approx(0.08), "high": pytest.approx(0.12)}
    assert report["verdict"] == verdict
    assert report["sentence"].endswith("The card's mean loss lies between 0.080 and 0.120.")


def test_numbers_as_shares_of_their_range() -> None:
    found = [AuditedAnswer("serving_default", {"weight": 20.0}, {"weight": 25.0})] * 4
    headline = {"name": "MAE", "value": 2.0, "low": 1.5, "high": 2.5}
    report = quality_report(found, NUMBERS, replace(CARD, evaluation={"headline": headline}))
    assert report["mean_loss"] == pytest.approx(0.1)
    assert report["card"] == {"low": pytest.approx(0.03), "high": pytest.approx(0.05)}


def test_numbers_without_a_range_are_measured_by_the_cards_error() -> None:
    """What is farther off than ten times that counts as no more."""
    weight = replace(WEIGHT, maximum=None)
    contract: Contract = {"serving_default": Signature("serving_default", (), (weight,))}
    found = [
        AuditedAnswer("serving_default", {"weight": 20.0}, {"weight": true})
        for true in (21.0, 9000.0)
    ]
    headline = {"name": "MAE", "value": 2.0, "low": 1.0, "high": 3.0}
    report = quality_report(found, contract, replace(CARD, evaluation={"headline": headline}))
    assert report["mean_loss"] == pytest.approx((0.05 + 1) / 2)
    assert report["card"] == {"low": pytest.approx(0.05), "high": pytest.approx(0.15)}
    report = quality_report(found, contract, None)
    assert report["sentence"].startswith("No audited answer can be measured: ")


def test_what_cannot_be_compared_says_nothing() -> None:
    gone = AuditedAnswer("gone", {"label": "yes"}, {"label": "yes"})
    report = quality_report([gone], SIGN_CONTRACT, None)
    assert (report["audits"], report["mean_loss"], report["card"]) == (0, None, None)
    assert report["sentence"].startswith("No audited answer can be measured: ")
    report = quality_report([], SIGN_CONTRACT, None)
    assert report["sentence"].startswith("No truth is known yet")


class CountingStore:
    """A store of the same audits, that counts how often it is read."""

    reads = 0

    def audited(self, model: str, version: int, most: int) -> list[tuple[str, dict, dict]]:
        self.reads += 1
        return [("serving_default", {"label": "yes"}, {"label": "yes"})]


def test_audits_are_not_read_for_each_request() -> None:
    store = CountingStore()
    quality = AuditedQuality(store)  # type: ignore[arg-type]
    for _ in range(3):
        assert quality.report("sign", 1, SIGN_CONTRACT, CARD)["audits"] == 1
    assert store.reads == 1
