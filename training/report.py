"""A run's report for people: what was trained, how it went, how good it is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from service.repository.card import Card
from training.runs import Run


def write_report(run: Run, card: Card) -> None:
    """Write ``report.md`` into the run folder."""
    parts = [
        f"# {card.title}: {run.settings.arch}",
        f"Exported {card.created_at}. {card.description}",
        "## Settings",
        _pairs(run.settings.to_json()),
        "## Data",
        _pairs(card.data),
        "## Training",
        _pairs({key: v for key, v in card.training.items() if not isinstance(v, Mapping)}),
        _history(run.history()),
        "## Evaluation",
        *_evaluation(card.evaluation),
        "## Libraries",
        _pairs(card.libraries),
    ]
    run.report.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def figure(value: Any) -> str:
    """Return a number as people read it, anything else as it is."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the figures of nested objects under dotted names; lists are left out."""
    figures: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            figures |= flat(item, f"{prefix}{key}.")
        elif not isinstance(item, list):
            figures[f"{prefix}{key}"] = item
    return figures


def _evaluation(evaluation: Mapping[str, Any]) -> Iterable[str]:
    yield _pairs(flat(evaluation))
    if "per_class" in evaluation:
        rows = evaluation["per_class"]
        yield _table(list(rows[0]), [list(row.values()) for row in rows])
        names = [row["label"] for row in rows]
        counts = zip(names, evaluation["confusion"]["counts"], strict=True)
        yield "Rows are the true classes, columns the predicted ones."
        yield _table(["", *names], [[name, *row] for name, row in counts])


def _history(rows: Sequence[Mapping[str, float]]) -> str:
    return _table(
        list(rows[0]),
        [[int(v) if key == "epoch" else v for key, v in row.items()] for row in rows],
    )


def _pairs(value: Mapping[str, Any]) -> str:
    return "\n".join(f"- {key}: {figure(item)}" for key, item in value.items())


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(figure(cell) for cell in line)} |" for line in lines)
