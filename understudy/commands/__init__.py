"""The commands: one module each, found by looking, so that adding a command is adding a file.

A module's ``add(commands)`` declares the command and its options, and names its ``run(options)``
as ``run_command``. All of them are imported for ``--help``: what takes seconds to import (Keras,
TensorFlow) is imported in ``run``.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from understudy.options import Commands


# What the commands have in common; every other module here is a command.
_SHARED: set[str] = set()


def add_all(commands: "Commands") -> None:
    """Declare every command, in the order of their names."""
    for name in sorted({module.name for module in pkgutil.iter_modules(__path__)} - _SHARED):
        importlib.import_module(f"{__name__}.{name}").add(commands)
