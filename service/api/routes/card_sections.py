"""What the page shows of a card and a contract, as sections: names with values, and tables."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from service.repository.contract import Field, Signature, is_one_of
from service.repository.json_files import shown
from service.repository.model_card import Card
from service.repository.precision import Precision

# What the page shows in ways of its own.
_DRAWN = frozenset(("headline", "per_class", "confusion", "compared", "reliability"))
_ON_AXES = ("confidence", "accuracy")
_MOST_CLASSES = 30
_INTERVAL = re.compile(r"_ci(\d+)$")


def sections_of_evaluation(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sections of an evaluation, which may be any JSON object.

    Returns:
        Each with its ``title``; with ``pairs``, whose values are numbers or texts; or with the
        ``head`` and ``rows`` of a table, and maybe a sentence ``about`` it.
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


def reliability_of(evaluation: Mapping[str, Any]) -> list[dict[str, float]]:
    """Return the bins of a reliability diagram; none where the evaluation has no valid ones.

    Returns:
        The mean ``confidence`` of each bin, the ``accuracy`` of its answers, and their ``count``.
    """
    bins = evaluation.get("reliability")
    return [
        {key: _as_float(each.get(key)) for key in (*_ON_AXES, "count")}
        for each in (bins if isinstance(bins, list) else [])
        if isinstance(each, dict) and all(map(_is_finite, (each.get(key) for key in _ON_AXES)))
    ]


def confusion_of(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ``counts`` of a confusion matrix and the ``names`` of its classes, if it has one.

    Matrices of more than 30 classes are left out: nobody could read them.
    """
    found = evaluation.get("confusion")
    counts = found.get("counts") if isinstance(found, dict) else None
    if not isinstance(counts, list) or not 0 < len(counts) <= _MOST_CLASSES:
        return None
    size = len(counts)
    if not all(isinstance(row, list) and len(row) == size for row in counts):
        return None
    if not all(_is_finite(count) for row in counts for count in row):
        return None
    classes = evaluation.get("per_class")
    if isinstance(classes, list) and len(classes) == size and all(map(_is_named, classes)):
        names = [str(each["label"]) for each in classes]
    else:
        names = [str(index) for index in range(size)]
    return {"names": names, "counts": [list(map(_as_float, row)) for row in counts]}


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


def sections_of_gates(training: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the gates said of a version before it was published, if they are in its card."""
    gates = training.get("gates")
    outcomes = gates.get("outcomes") if isinstance(gates, dict) else None
    said = {
        _readable(str(each.get("gate"))): (
            f"{'passed' if each.get('passed') else 'failed'}: {each.get('because')}"
        )
        for each in (outcomes if isinstance(outcomes, list) else [])
        if isinstance(each, dict)
    }
    return [_pairs("Gates", said)]


def sections_of_contract(signatures: Iterable[Signature]) -> list[dict[str, Any]]:
    """Return two tables for each signature: what it takes, and what it gives."""
    return [
        _table(f"{signature.name} {verb}", ["name", "type", "range", "meaning"], rows)
        for signature in signatures
        for verb, fields in (("takes", signature.inputs), ("gives", signature.outputs))
        for rows in [[_field(field) for field in fields]]
    ]


def _field(field: Field) -> list[str]:
    shape = "any shape"
    if field.shape is not None:
        shape = ", ".join("?" if size is None else str(size) for size in field.shape)
    limits = "" if field.minimum is None else f"from {_bound(field.minimum)}"
    if field.maximum is not None:
        limits += f" to {_bound(field.maximum)}"
    return [
        field.name,
        f"{field.dtype} [{shape}]",
        f"{limits} {field.unit}".strip(),
        field.description,
    ]


def _bound(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _pairs(title: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"title": title, "pairs": [list(each) for each in values.items()]}


def _table(
    title: str, head: list[str], rows: list[list[Any]], *, about: str = ""
) -> dict[str, Any]:
    cells = [[each if _is_scalar(each) else shown(each) for each in row] for row in rows]
    return {"title": title, "about": about, "head": head, "rows": cells}


def _with_intervals(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an evaluation's scalars; those with an interval, such as x_ci95, as a text."""
    plain = {key: value for key, value in evaluation.items() if key not in _DRAWN}
    found = _scalars(plain)
    for key, ends in plain.items():
        level = _INTERVAL.search(key)
        if level is None or not isinstance(ends, list) or len(ends) != 2:
            continue
        name = _readable(key[: level.start()])
        if name in found:
            low, high = ends
            value, low, high = map(_short, (found[name], low, high))
            found[name] = f"{value} ({low} to {high}, {level.group(1)} %)"
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


def _short(value: Any) -> str:
    if not _is_finite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and "label" in value


def _is_finite(value: Any) -> bool:
    """Whether a JSON value is a number, and not NaN or infinite."""
    return is_one_of(value, (int, float))


def _as_float(value: Any) -> float:
    """Return a number that browsers compute with, which they do not with large whole ones."""
    return float(value) if _is_finite(value) else 0.0


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _readable(name: str) -> str:
    return name.replace("_", " ")
