"""Which predictions are stored, as a policy says it."""

from typing import Any

import pytest

from service.repository.contract import Field
from service.repository.contract_json import contract_from_json, contract_to_json
from service.repository.errors import RepositoryError
from service.repository.event_rates import EventRates, UnsureRate
from service.repository.model_policy import policy_from_json, with_changes
from tests.savedmodels.affine import AFFINE_CONTRACT

UNSURE = {"output": "confidence", "between": [0, 0.6], "rate": 1}


@pytest.mark.parametrize(
    ("value", "rates", "highest"),
    [
        ({"rate": 0.1}, EventRates(0.1), 0.1),
        ({"rate": 0}, EventRates(0), 0),
        ({"rate": 0.1, "errors": 1}, EventRates(0.1, 1), 1),
        ({"rate": 0.1, "unsure": UNSURE}, EventRates(0.1, None, UnsureRate("confidence", 0, 0.6, 1)), 1),
    ],
)  # fmt: skip
def test_a_policy_says_rates(value: Any, rates: EventRates, highest: float) -> None:
    policy = policy_from_json({"events": value})
    assert policy.events == rates
    assert policy.events.highest == highest
    assert policy.to_json()["events"] == value
    # Another change leaves them as they are.
    assert with_changes(policy, {"keep": 3}).events == rates
    assert with_changes(policy, {"events": None}).events is None
    assert policy.etag != policy_from_json({}).etag


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1, 'events must be {"rate": R} with R from 0 to 1, and optionally "errors" and "unsure", not 1.'),
        ({}, "events must be"),
        ({"rate": True}, "events must be"),
        ({"rate": 1.1}, "events must be"),
        ({"rate": -0.1}, "events must be"),
        ({"rate": 0.1, "more": 1}, "events must be"),
        ({"rate": 0.1, "errors": 2}, "events.errors must be a number from 0 to 1, not 2."),
        ({"rate": 0.1, "unsure": {}}, 'events.unsure must be {"output": "<name>", "between": [LOW, HIGH], "rate": R}, not {}.'),
        ({"rate": 0.1, "unsure": {**UNSURE, "between": [1, 0]}}, "events.unsure must be"),
        ({"rate": 0.1, "unsure": {**UNSURE, "rate": 2}}, "events.unsure must be"),
    ],
)  # fmt: skip
def test_what_no_rates_are_is_said(value: Any, message: str) -> None:
    with pytest.raises(RepositoryError) as refused:
        policy_from_json({"events": value})
    assert str(refused.value).startswith("policy.json: ")
    assert message in str(refused.value)


def test_a_contract_marks_sensitive_fields() -> None:
    value = contract_to_json(AFFINE_CONTRACT)
    fields = value["serving_default"]["inputs"]
    assert not any("sensitive" in field for field in fields)
    fields[1]["sensitive"] = True
    read = contract_from_json(value)
    assert [field.sensitive for field in read["serving_default"].inputs] == [False, True, False]
    assert contract_to_json(read) == value
    fields[1]["sensitive"] = 1
    with pytest.raises(RepositoryError, match="sensitive: 1 is not true, false or null"):
        contract_from_json(value)
    assert Field(name="a", dtype="bool", shape=(None,)).sensitive is False


@pytest.mark.parametrize(
    ("rates", "sentence"),
    [
        (EventRates(0.0), ""),
        (EventRates(0.1), "10 % of requests are kept with their answers for 30 days."),
        (
            EventRates(0.05, 1, UnsureRate("confidence", 0, 0.6, 0.5)),
            "5 % of requests, 100 % of those that fail and 50 % of those whose confidence lies "
            "between 0 and 0.6 are kept with their answers for 30 days.",
        ),
    ],
)
def test_rates_in_words(rates: EventRates, sentence: str) -> None:
    assert rates.sentence(30) == sentence
