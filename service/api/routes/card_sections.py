"""What the page shows of a card, as sections: names with values, and tables."""

import re
from collections.abc import Mapping
from typing import Any

from service.repository.model_card import Card
from service.repository.precision import Precision

# What the page shows in ways of its own.
_DRAWN = frozenset(("headline", "per_class", "confusion", "compared", "reliability"))
_INTERVAL = re.compile(r"_ci(\d+)$")


def sections_of_evaluation(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sections of an evaluation, which may be any JSON object.

    Returns:
        Each with its ``title``; with ``pairs``, whose values are numbers, texts, or objects of a
        ``value`` with the ends and the ``percent`` of its interval; or with the ``head`` and
        ``rows`` of a table, and maybe a sentence ``about`` it.
    """
    found = [_pairs("Evaluation", _with_intervals(evaluation))]
    classes = evaluation.get("per_class")
    if isinstance(classes, list) and classes and all(map(_is_named, classes)):
        keys = [key for key, value in classes[0].items() if key != "label" and _is_scalar(value)]
        rows = [[each.get(key) for key in ("label", *keys)] for each in classes]
        found.append(_table("By class", ["class", *map(_readable, keys)], rows))
    compared = evaluation.get("compared")
    if isinstance(compared, dict) and isinstance(compared.get("models"), dict):
        head = ["model", compared.get("unit") or "value"]
        rows = [list(each) for each in compared["models"].items()]
        found.append(_table("Compared with", head, rows, about=compared.get("how", "")))
    return found


def sections_of_making(card: Card, used: Precision) -> list[dict[str, Any]]:
    """Return the sections that say how a version was made, as ``sections_of_evaluation`` does.

    Args:
        card: the version's.
        used: the precision that it is served with.
    """
    made = {"created": card.created_at, "task": card.task, "precision": str(used)}
    training = {key: value for key, value in card.training.items() if key != "gates"}
    return [
        _pairs("Training run", made | _scalars(training)),
        _pairs("Data", _scalars(card.data)),
        _pairs("Libraries", dict(card.libraries)),
    ]


def _pairs(title: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": title, "pairs": [list(each) for each in values.items()]}


def _table(
    title: str, head: list[str], rows: list[list[Any]], *, about: str = ""
) -> dict[str, Any]:
    return {"title": title, "about": about, "head": head, "rows": rows}


def _with_intervals(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an evaluation's scalars; those with an interval, such as x_ci95, with its ends."""
    plain = {key: value for key, value in evaluation.items() if key not in _DRAWN}
    found = _scalars(plain)
    for key, ends in plain.items():
        level = _INTERVAL.search(key)
        if level is None or not isinstance(ends, list) or len(ends) != 2:
            continue
        name = _readable(key[: level.start()])
        if name in found:
            low, high = ends
            found[name] = {
                "value": found[name],
                "low": low,
                "high": high,
                "percent": int(level.group(1)),
            }
    return found


def _scalars(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the scalars in an object, with names of what is within what; lists are left out."""
    found: dict[str, Any] = {}
    for key, each in value.items():
        name = prefix + _readable(key)
        if isinstance(each, dict):
            found |= _scalars(each, f"{name}: ")
        elif _is_scalar(each) and each not in (None, ""):
            found[name] = each
    return found


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and "label" in value


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _readable(name: str) -> str:
    return name.replace("_", " ")
