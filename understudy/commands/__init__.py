"""The commands: one module each, found by looking, so that adding a command is adding a file.

A module's ``command`` is the command with its options; ``serve-policy`` lies in ``serve_policy``.
All modules are imported for ``--help``: what takes seconds to import (Keras, TensorFlow), or is not
installed everywhere, is imported where the command runs.
"""

import importlib
import pkgutil

import click


def names() -> list[str]:
    """Return the commands' names, sorted."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def find(name: str) -> click.Command | None:
    """Import a command; ``None`` where there is none of this name.

    Raises:
        ImportError: something that it needs is not installed.
    """
    if name not in names():
        return None
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    assert isinstance(module.command, click.Command)
    return module.command
