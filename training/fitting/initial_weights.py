"""Weights of a published version with which a training starts (fine-tuning)."""

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from service.repository.folder_walk import check_bounds
from training.array_types import Array
from training.errors import TrainingError

WEIGHTS = "assets.extra/weights.npz"
_CLASSES = "classes"


def write_weights(folder: Path, model: keras.Model, classes: Sequence[str]) -> None:
    """Keep a trained network's weights in its version, because the graph's are only for serving.

    Args:
        folder: the version's.
        model: the network; its optimizer is left out.
        classes: the names of its classes in the order of its outputs; empty without any.
    """
    arrays: dict[str, Any] = {
        f"{number:04d} {weight.path}": weight.numpy() for number, weight in enumerate(model.weights)
    }
    path = folder / WEIGHTS
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays[_CLASSES] = np.array(classes, np.str_)
    np.savez_compressed(path, **arrays)


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """A published version to begin with: its folder, or a copy, named by its number."""

    folder: Path

    @property
    def version(self) -> int:
        return int(self.folder.name)

    def load_into(self, model: keras.Model, classes: Sequence[str]) -> None:
        """Load the version's weights into a network of the same form.

        Args:
            model: the network; weights are matched in order, and by their shapes.
            classes: the names of its classes.

        Raises:
            TrainingError: the version has no such file, or is of other classes or another form.
        """
        known, weights = self._read()
        if list(classes) != known:
            raise TrainingError(
                f"Version {self.version} has the classes {_listing(known)}; the data has "
                f"{_listing(classes)}. Weights can start a training for the same classes only."
            )
        here = [(weight.path, tuple(weight.shape)) for weight in model.weights]
        there = [(name.partition(" ")[2], array.shape) for name, array in weights.items()]
        for mine, its in zip(here, there, strict=False):
            if mine[1] != its[1]:
                raise TrainingError(
                    f"Version {self.version} is another network: its {its[0]} is {list(its[1])}, "
                    f"{mine[0]} here is {list(mine[1])}. Choose its architecture with --arch."
                )
        if len(here) != len(there):
            raise TrainingError(
                f"Version {self.version} is another network: it has {len(there)} arrays of "
                f"weights, this one {len(here)}. Choose its architecture with --arch."
            )
        model.set_weights(list(weights.values()))

    def _read(self) -> tuple[list[str], dict[str, Array]]:
        path = self.folder / WEIGHTS
        try:
            with np.load(path, allow_pickle=False) as file:
                weights = dict(file)
        except FileNotFoundError as error:
            raise TrainingError(
                f"Version {self.version} brings no weights to start from ({WEIGHTS}): "
                "it was made by an earlier program, or elsewhere."
            ) from error
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise TrainingError(f"{path} cannot be read: {error}.") from error
        classes = weights.pop(_CLASSES)
        return classes.tolist(), dict(sorted(weights.items()))


def keep_copy(initial: InitialWeights, folder: Path) -> InitialWeights:
    """Copy a version into ``folder``: a resumed training needs it when it may be gone.

    Raises:
        RepositoryError: the version is deeper, or holds more, than is looked at.
    """
    # Copying calls itself for each level.
    check_bounds(initial.folder)
    draft = folder / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(initial.folder, draft)
    return InitialWeights(draft.rename(folder / str(initial.version)))


def kept_copy(folder: Path) -> InitialWeights | None:
    """Return what ``keep_copy`` has copied into ``folder``; ``None`` when it has not."""
    copies = [path for path in folder.glob("*") if path.name.isdecimal()]
    return InitialWeights(copies[0]) if copies else None


def _listing(classes: Sequence[str]) -> str:
    return ", ".join(classes) or "no classes"
