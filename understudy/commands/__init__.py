"""The commands: one module each, found by looking, so that adding a command is adding a file.

A module's ``command`` is the command with its options; ``serve-policy`` lies in ``serve_policy``,
and ``import`` in ``import_model``, because no module can be imported by the name of a keyword.
All modules are imported for ``--help``: what takes seconds to import (Keras, TensorFlow), or is not
installed everywhere, is imported where the command runs.
"""

import importlib
import pkgutil

import click

_MODULES = {"import": "import_model"}
_COMMANDS = {module: command for command, module in _MODULES.items()}


def names() -> list[str]:
    """Return the commands' names, sorted."""
    modules = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(_COMMANDS.get(name, name.replace("_", "-")) for name in modules)


def find(name: str) -> click.Command | None:
    """Import a command; ``None`` where there is none of this name.

    Raises:
        ImportError: something that it needs is not installed.
    """
    if name not in names():
        return None
    module = importlib.import_module(f"{__name__}.{_MODULES.get(name, name.replace('-', '_'))}")
    assert isinstance(module.command, click.Command)
    return module.command
