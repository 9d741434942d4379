"""The models: one module each, discovered by name, so that adding a model is adding a file."""

import importlib
import pkgutil
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
    with silent_stderr():  # the module brings Keras and TensorFlow
        task = importlib.import_module(f"{__name__}.{name}").TASK
    from training.tasks.task_interface import Task

    assert isinstance(task, Task)
    return task
