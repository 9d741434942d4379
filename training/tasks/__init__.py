"""The models: one module each, discovered by name, so that adding a model is adding a file."""

import gc
import importlib
import pkgutil
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from training.console.native_stderr import silent_stderr
from training.errors import UsageError

if TYPE_CHECKING:
    from training.tasks.task_interface import Task

# What the models have in common; every other module here is a model.
_SHARED = {"search_space", "study_variants", "task_interface"}


def task_names() -> list[str]:
    """Return the names of the models that can be trained; a module is named as its model."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _SHARED)


def get(name: str) -> "Task[Any]":
    """Return the task that trains the model ``name``.

    Raises:
        UsageError: no task has this name.
    """
    if name not in task_names():
        raise UsageError(
            f"There is no model {name!r} to train; there are {', '.join(task_names())}."
        )
    module = f"{__name__}.{name}"
    task = (sys.modules.get(module) or _first_import(module)).TASK
    from training.tasks.task_interface import Task

    assert isinstance(task, Task)
    return task


def _first_import(module: str) -> ModuleType:
    """Import a task's module, which brings Keras and TensorFlow.

    Nothing of that ever is garbage. To look for some takes a quarter of the time of the import, and
    part of each collection afterwards.
    """
    gc.disable()
    try:
        with silent_stderr():
            return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()
