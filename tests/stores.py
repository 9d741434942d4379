"""Stores of versions that hold no model, for what only looks at folders and numbers."""

from pathlib import Path

from service.repository.model_store import Store


def store_of_three(root: Path) -> Store:
    """Return a store with versions 1 to 3 of the model ``m``."""
    store = Store(root)
    for number in range(3):
        store.publish("m", lambda folder, n=number: (folder / "data").write_text(str(n)) and None)
    return store
