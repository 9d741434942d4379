"""Files of keys for tests."""

from pathlib import Path
from typing import Any

from service.access.key_file import ApiKey, change_keys, new_key


def add_key(path: Path, name: str, *models: str, **limits: Any) -> str:
    """Add a key to a file, for all models unless some are named, and return it."""
    key, entry = new_key(name, frozenset(models) or None, **limits)
    change_keys(path, lambda keys: keys.update({name: entry}))
    return key


def remove_key(path: Path, name: str) -> None:
    """Remove a key from a file."""

    def change(keys: dict[str, ApiKey]) -> None:
        del keys[name]

    change_keys(path, change)
