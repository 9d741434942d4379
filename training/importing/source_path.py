"""Whether a path may hold a model: looked at before Keras is imported, which takes seconds."""

from pathlib import Path

from service.repository.unserved_entries import GRAPHS
from training.errors import UsageError

_KERAS = (".keras", ".h5", ".hdf5")


def shown_name(path: Path) -> str:
    """Return the name of a file as a card can have it: bytes that are not UTF-8 are escaped."""
    return path.name.encode(errors="backslashreplace").decode()


def check_source(path: Path) -> None:
    """Check that a path may hold a model, by its name and what lies there.

    Raises:
        UsageError: it does not.
    """
    if path.is_dir():
        if not any((path / name).exists() for name in GRAPHS):
            raise UsageError(
                f"{path} holds no SavedModel: expected a folder with {GRAPHS[0]}, or a Keras "
                f"file ({', '.join(_KERAS)})."
            )
    elif not path.exists():
        raise UsageError(f"{path} is not there.")
    elif not path.name.lower().endswith(_KERAS):
        raise UsageError(
            f"{path} is not a model that can be imported: expected a Keras file "
            f"({', '.join(_KERAS)}) or a SavedModel's folder."
        )
