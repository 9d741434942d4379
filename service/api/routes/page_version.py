"""What the page shows of one version: its contract, its golden examples, and its card."""

import re
from typing import Any

from service.api.routes.card_sections import (
    confusion_of,
    reliability_of,
    sections_of_contract,
    sections_of_evaluation,
    sections_of_gates,
    sections_of_making,
)
from service.api.routes.page_fields import signature_on_page
from service.repository.contract import is_one_of
from service.repository.golden_examples import GoldenExample, examples_to_show
from service.repository.model_card import Card
from service.runtime.servable import Servable

_NUMBERS = ("value", "low", "high")
_HARD = re.compile(r"\bhard\b", re.IGNORECASE)
# What the mark of a hard example says already.
_HARD_IN_NOTE = re.compile(r";?\s*\bhard\b(?=:|\Z)", re.IGNORECASE)
_LONGEST_TITLE = 44


def version_on_page(servable: Servable) -> dict[str, Any]:
    """Return what the page shows of a version that is loaded."""
    card = servable.card
    examples = examples_to_show(servable.golden, servable.contract)
    contract = servable.contract.values()
    return {
        "name": servable.model,
        "version": str(servable.version),
        "signatures": {each.name: signature_on_page(each, examples) for each in contract},
        "contract": sections_of_contract(contract),
        "examples": [example_on_page(each) for each in examples],
        "card": {
            "title": card.title,
            "description": card.description,
            "headline": headline_of(card),
            "reliability": reliability_of(card.evaluation),
            "confusion": confusion_of(card.evaluation),
            "measured": sections_of_evaluation(card.evaluation),
            "gates": sections_of_gates(card.training),
            "made": sections_of_making(card, servable.precision),
        }
        if card
        else None,
    }


def headline_of(card: Card) -> dict[str, Any] | None:
    """Return the one number that an evaluation comes to; ``None`` where the card has none."""
    headline = card.evaluation.get("headline")
    if not isinstance(headline, dict) or not is_one_of(headline.get("value"), (int, float)):
        return None
    name = headline.get("name")
    # As floats: browsers compute with them.
    numbers = {
        key: float(headline[key]) for key in _NUMBERS if is_one_of(headline.get(key), (int, float))
    }
    return {"name": name if isinstance(name, str) else "", **numbers}


def example_on_page(example: GoldenExample) -> dict[str, Any]:
    """Return a golden example with its note, and with the note's ``title`` to show it by."""
    return {
        "note": example.note,
        "title": _title(example.note),
        "is_hard": bool(_HARD.search(example.note)),
        "signature": example.signature,
        "instance": example.instance,
        "truth": example.truth,
    }


def _title(note: str) -> str:
    """Return a note in short, without what the mark of a hard example says."""
    text = _HARD_IN_NOTE.sub("", note, count=1).strip().removeprefix(":").strip()
    if len(text) > _LONGEST_TITLE:
        return f"{text[: _LONGEST_TITLE - 1]}…"
    return text or "example"
