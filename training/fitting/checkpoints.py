"""Writes and keeps the checkpoints of a run, each whole or not at all.

last-<epoch>.weights.h5   weights and optimizer after so many epochs; the newest few
best.weights.h5           the same after the best epoch so far
"""

import re
import warnings
from pathlib import Path

import keras

from service.repository.atomic_files import replacing
from training.errors import TrainingError, UsageError

_BEST = "best.weights.h5"
_LAST = re.compile(r"last-(\d+)\.weights\.h5")


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
        """Keep what ``model`` has learned as the best so far."""
        _save(model, self._folder / _BEST)

    def save(self, model: keras.Model, epochs: int, *, is_best: bool = False) -> None:
        """Keep what ``model`` has learned in ``epochs`` epochs; the oldest beyond ``keep`` go.

        Where ``is_best`` says that ``save_best`` has just kept the same, it is the same file.
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
    with replacing(path, durable=True, exclusive=True) as draft, warnings.catch_warnings():
        # Keras 3.15's variables do not know numpy 2's "copy" yet, and h5py asks for it.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        model.save_weights(draft, overwrite=True)


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
        raise TrainingError(f"{path} does not fit the network: {error}") from error
