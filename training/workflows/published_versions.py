"""Show the published versions of models: which of them serve, and how good they are."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.model_card import read_card
from service.repository.model_policy import read_policy
from service.repository.model_store import Store
from service.repository.object_store.refreshing import current_store
from service.repository.serving_status import Reality, realities
from training.console.progress import say
from training.console.terminal_table import print_table
from training.publishing.version_policy import check_model

_SERVES, _REFUSED, _ASKED, _UNKNOWN = "yes", "refused", "asked for", "yes?"


def show(root: Path, only: str | None = None, *, as_json: bool = False) -> None:
    """Print the models under ``root``, their versions and metrics, and which serve.

    Args:
        root: the folder of models.
        only: the model that is shown; ``None`` shows all.
        as_json: print a list with an object for each version: ``model``, ``version``,
            ``in_policy`` (whether the policy asks for it), ``serves`` (null where no service that
            runs reports), ``refused`` (why, or null), ``labels``, ``network``, ``headline`` and
            ``created_at``, and ``problem``, why a version has none of the last three.

    Raises:
        UsageError: there is no model ``only``.
        RepositoryError: the policy of a model that is shown cannot be read.
    """
    store = current_store(root, only)
    models, ignored = store.survey()
    if only is not None:
        check_model(store, only)
        models = [only]
        ignored = [entry for entry in ignored if entry.path.startswith(f"{only}/")]
    real = realities(store, models)
    versions = [item for model in models for item in _versions(store, root, model, real[model])]
    if as_json:
        say(json.dumps(versions, indent=2))
    elif not models:
        say(f"There are no models in {root}.")
    else:
        _show(versions, [model for model in models if not real[model].is_known])
    if not as_json and root.exists():
        for entry in ignored:
            say(f"{root if entry.path == '.' else entry.path} is not served: {entry.reason}")


def _versions(store: Store, root: Path, model: str, real: Reality) -> list[dict[str, Any]]:
    versions, policy = store.versions(model), read_policy(root / model)
    selected = policy.select(versions)
    return [
        {
            "model": model,
            "version": version,
            "in_policy": version in selected,
            "serves": version in real.serving if real.is_known else None,
            "refused": real.refused.get(version),
            "labels": [label for label, named in policy.labels.items() if named == version],
            **_described(folder),
        }
        for version, folder in versions.items()
    ]


def _described(folder: Path) -> dict[str, Any]:
    """Return network, headline and date of a version; a foreign SavedModel has none of them."""
    about: dict[str, Any] = dict.fromkeys(("network", "headline", "created_at", "problem"))
    try:
        card = read_card(folder)
    except RepositoryError as error:
        return about | {"problem": f"unreadable card: {error}"}
    if card is None:
        return about | {"problem": "no card"}
    return about | {
        "network": card.training.get("arch"),
        "headline": card.evaluation.get("headline"),
        "created_at": card.created_at,
    }


def _show(versions: Sequence[Mapping[str, Any]], untold: Sequence[str]) -> None:
    labelled = any(item["labels"] for item in versions)
    rows = [
        (
            item["model"],
            str(item["version"]),
            _serves(item),
            *([", ".join(item["labels"])] if labelled else []),
            str(item["network"] or ""),
            item["problem"] or _quality(item["headline"]),
            (item["created_at"] or "")[:10],
        )
        for item in versions
    ]
    labels = ["labels"] if labelled else []
    print_table(("model", "version", "serves", *labels, "network", "quality", "created"), rows)
    if untold:
        say(
            f"No running service reports what it serves of {', '.join(untold)}: "
            f'"{_UNKNOWN}" is what the policy asks for.'
        )
    for item in versions:
        if item["refused"]:
            say(f"{item['model']} version {item['version']} was refused: {item['refused']}")


def _serves(item: Mapping[str, Any]) -> str:
    if item["serves"]:
        return _SERVES
    if item["refused"]:
        return _REFUSED
    if not item["in_policy"]:
        return ""
    return _UNKNOWN if item["serves"] is None else _ASKED


def _quality(headline: Any) -> str:
    match headline:
        case {
            "name": name,
            "value": int() | float() as value,
            "low": int() | float() as low,
            "high": int() | float() as high,
        }:
            return f"{_short(name)} {value:.3f} ({low:.3f}-{high:.3f})"
        case {"name": name, "value": int() | float() as value}:
            return f"{_short(name)} {value:.3f}"
        case _:
            return "not measured"


def _short(name: str) -> str:
    """Return the metric of a headline without how it was measured."""
    return str(name).removeprefix("test ").partition(" by ")[0].partition(" on ")[0]
