"""How the tests' tiny SavedModels are written, with and without what a trainer adds."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from service.repository.contract import Contract
from service.repository.model_card import Card, write_card
from service.repository.model_store import Store


def save(directory: Path, module: tf.Module, **functions: Any) -> None:
    """Write a SavedModel whose signatures are the ``functions``; no card, no manifest."""
    signatures = {name: each.get_concrete_function() for name, each in functions.items()}
    tf.saved_model.save(module, str(directory), signatures=signatures)


def card(name: str, contract: Contract, *, task: str = "regression") -> Card:
    """Return the card of a model."""
    return Card(
        name=name,
        title=f"The toy {name}",
        task=task,
        contract=contract,
        created_at="2026-01-01T00:00:00+00:00",
    )


def publish(root: Path, described: Card, module: tf.Module, **functions: Any) -> int:
    """Publish a version of a model as a trainer would, and return its number."""

    def fill(directory: Path) -> None:
        save(directory, module, **functions)
        write_card(directory, described)

    return Store(root).publish(described.name, fill)
