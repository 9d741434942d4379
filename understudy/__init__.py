"""The command ``understudy``: one command line over the service and the training.

From Python, ``understudy.import_model`` publishes a Keras model as the command ``import`` does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.workflows.import_model import import_model

__all__ = ["import_model"]


def __getattr__(name: str) -> Any:
    """Import Keras only for those who ask for what needs it."""
    if name == "import_model":
        from training.workflows.import_model import import_model

        return import_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
