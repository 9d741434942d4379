"""Writes and keeps the checkpoints of a run, each whole or not at all.

last-<epoch>.weights.h5   weights and optimizer after so many epochs; the newest few
best.weights.h5           the same after the best epoch so far
"""

import errno
import math
import os
import re
import shutil
import warnings
from pathlib import Path

import keras
import numpy as np

from service.repository.atomic_files import replacing
from training.errors import TrainingError, UsageError

_BEST = "best.weights.h5"
_LAST = re.compile(r"last-(\d+)\.weights\.h5")
# What HDF5 writes beside the numbers of a variable, at most.
_OVERHEAD_BYTES = 4096


class Checkpoints:
    """The checkpoints in one folder. Holds no state: each call looks at the disk.

    Args:
        folder: where they are.
        keep: how many of the newest epochs' stay; the best epoch's stays besides.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep

    def epochs(self) -> dict[int, Path]:
        """Return the checkpoints that are kept by the number of finished epochs, in order."""
        found = [(_LAST.fullmatch(path.name), path) for path in self._folder.iterdir()]
        return dict(sorted((int(match[1]), path) for match, path in found if match))

    def save_best(self, model: keras.Model) -> None:
        """Keep what ``model`` has learned as the best so far.

        Raises:
            OSError: it cannot be written; the best before is still there.
        """
        _save(model, self._folder / _BEST)

    def save(self, model: keras.Model, epochs: int, *, is_best: bool = False) -> None:
        """Keep what ``model`` has learned in ``epochs`` epochs; the oldest beyond ``keep`` go.

        Where ``is_best`` says that ``save_best`` has just kept the same, it is the same file.

        Raises:
            OSError: it cannot be written; what was kept before is still there.
        """
        path = self._folder / f"last-{epochs:04d}.weights.h5"
        if not (is_best and _link(self._folder / _BEST, path)):
            _save(model, path)
        for path in list(self.epochs().values())[: -self._keep]:
            path.unlink()

    def resume(self, model: keras.Model) -> int:
        """Load the newest checkpoint, optimizer included; return the number of its epochs.

        Without any it is 0, and the model stays as it is.

        Raises:
            TrainingError: the checkpoint is of another network.
        """
        kept = self.epochs()
        if not kept:
            return 0
        epochs, path = max(kept.items())
        _load(model, path)
        return epochs

    def restore_best(self, model: keras.Model) -> None:
        """Give ``model`` the weights of the best epoch.

        Raises:
            TrainingError: no epoch was finished, or the weights are of another network.
        """
        _load(model, self._folder / _BEST)

    def restore(self, model: keras.Model, epoch: int) -> None:
        """Give ``model`` the weights that it had after ``epoch`` epochs.

        Raises:
            UsageError: that checkpoint is not kept.
            TrainingError: the weights are of another network.
        """
        _load(model, self.of(epoch))

    def of(self, epoch: int) -> Path:
        """Return the checkpoint after ``epoch`` epochs.

        Raises:
            UsageError: it is not kept.
        """
        kept = self.epochs()
        if epoch not in kept:
            known = ", ".join(map(str, kept)) or "none"
            raise UsageError(
                f"{self._folder} has no checkpoint of epoch {epoch}; there are: {known}. "
                "--checkpoints sets how many a training keeps when it begins."
            )
        return kept[epoch]


def _save(model: keras.Model, path: Path) -> None:
    _require_space(model, path)
    with replacing(path, durable=True, exclusive=True) as draft, warnings.catch_warnings():
        # Keras 3.15's variables do not know numpy 2's "copy" yet, and h5py asks for it.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        try:
            model.save_weights(draft, overwrite=True)
        except OSError as error:
            if error.errno is None:
                raise
            # HDF5's own words are about addresses in memory.
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from None


def _require_space(model: keras.Model, path: Path) -> None:
    """Check that a disk has room for what ``model`` has learned.

    HDF5 that runs out of space in the midst of a file prints traces.

    Raises:
        OSError: it has not.
    """
    variables = [*model.variables, *(model.optimizer.variables if model.optimizer else ())]
    needed = sum(
        math.prod(each.shape) * np.dtype(each.dtype).itemsize + _OVERHEAD_BYTES
        for each in variables
    )
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _link(source: Path, path: Path) -> bool:
    """Link a file to a second name, without writing it again; return whether that was possible.

    Neither name's file is ever changed in place.
    """
    draft = path.with_name(f".draft-{path.name}")
    draft.unlink(missing_ok=True)
    try:
        draft.hardlink_to(source)
    except OSError:
        return False
    draft.replace(path)
    return True


def _load(model: keras.Model, path: Path) -> None:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        optimizer.build(model.trainable_variables)  # else it has no place for its state
    try:
        model.load_weights(path)
    except FileNotFoundError as error:
        raise TrainingError(f"{path} is not there: no epoch was finished.") from error
    except (ValueError, OSError, KeyError, TypeError) as error:
        # Below, Keras lists every variable.
        reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise TrainingError(f"{path} does not fit the network: {reason}.") from error
