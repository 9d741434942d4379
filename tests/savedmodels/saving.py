"""How the tests' tiny SavedModels are written, with and without what a trainer adds."""

import functools
import tempfile
from collections.abc import Callable, Hashable
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


def written_once(write: Callable[..., None]) -> Callable[..., None]:
    """Have a writer of a SavedModel do it once for the same options, and copy that afterwards.

    Tracing and writing take a hundred times as long as a copy, and tests publish the same models
    again and again.

    Args:
        write: takes the folder, and options by name that decide all that it writes.
    """
    trees: dict[Hashable, dict[Path, bytes | None]] = {}

    @functools.wraps(write)
    def copy(directory: Path, **options: Hashable) -> None:
        key = tuple(sorted(options.items()))
        if key not in trees:
            with tempfile.TemporaryDirectory() as folder:
                write(Path(folder), **options)
                # Folders have no content, and come before what is in them.
                trees[key] = {
                    path.relative_to(folder): None if path.is_dir() else path.read_bytes()
                    for path in sorted(Path(folder).rglob("*"))
                }
        directory.mkdir(parents=True, exist_ok=True)
        for path, content in trees[key].items():
            if content is None:
                (directory / path).mkdir(exist_ok=True)
            else:
                (directory / path).write_bytes(content)

    return copy


def card(name: str, contract: Contract, *, task: str = "regression") -> Card:
    """Return the card of a model."""
    return Card(
        name=name,
        title=f"The toy {name}",
        task=task,
        contract=contract,
        created_at="2026-01-01T00:00:00+00:00",
    )


def publish(root: Path, described: Card, write: Callable[..., None], **options: Any) -> int:
    """Publish a version of a model as a trainer would, and return its number.

    Args:
        root: the folder of models.
        described: the model's card.
        write: writes the SavedModel; it takes the folder, and the ``options``.
        options: what it writes.
    """

    def fill(directory: Path) -> None:
        write(directory, **options)
        write_card(directory, described)

    return Store(root).publish(described.name, fill)
