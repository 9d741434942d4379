"""The training loop: batches, checkpoints, resuming, early stopping, progress, history."""

import math
import os
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.errors import TrainingError
from training.interrupt import InterruptBetweenBatches
from training.live import TrainingProgress
from training.progress import say
from training.runs import Run
from training.task import Architecture, MakeBatch, Plan

_BEST = "best.weights.h5"
_LAST = re.compile(r"last-(\d+)\.weights\.h5")


class Batches(keras.utils.PyDataset):
    """Some rows of the data, in batches whose content follows from seed, epoch and number alone.

    So an epoch is the same whether it is reached in one go or after a restart. Without a seed
    the rows come in order and unchanged.
    """

    def __init__(
        self,
        make: MakeBatch,
        rows: npt.NDArray[np.int64],
        batch_size: int,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._make = make
        self._rows = rows
        self._batch_size = batch_size
        self._seed = seed
        self._order = rows
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle the rows as it is due in ``epoch``, counted from 0."""
        self._epoch = epoch
        if self._seed is not None:
            self._order = np.random.default_rng((self._seed, epoch)).permutation(self._rows)

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, index: int) -> Any:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        if self._seed is None:
            return self._make(rows, None)
        # The third number keeps this stream apart from the one that shuffles.
        return self._make(rows, np.random.default_rng((self._seed, self._epoch, index + 1)))


def prepare(seed: int) -> None:
    """Make what follows in this process depend on ``seed`` alone; called before the model is built.

    ``enable_op_determinism`` costs little on a CPU, and leaves no operation to chance.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def fit(plan: Plan, architecture: Architecture, run: Run) -> None:
    """Train ``plan.model`` and leave it with the weights of its best epoch.

    A run that has checkpoints goes on from the last of them.

    Raises:
        TrainingError: the loss is no number any more, or a checkpoint is not of this network.
    """
    settings = run.settings
    training = Batches(plan.batch, plan.training, settings.batch_size, settings.seed)
    validation = Batches(plan.batch, plan.validation, settings.batch_size)
    done = _restore(plan.model, run)
    history = run.history()[:done]
    if done:
        say(f"going on after epoch {done}")
    progress = TrainingProgress(plan.metric, len(training), done)
    keeper = _Keeper(run, plan, history)
    interrupt = InterruptBetweenBatches()
    callbacks: list[keras.callbacks.Callback] = [
        *(_EpochSetter(training), _Guard(), keeper, progress, interrupt)
    ]
    if architecture.patience is not None:
        callbacks.append(_Patience(keeper, architecture.patience))
    try:
        if done < settings.epochs and not _is_exhausted(keeper, architecture):
            with interrupt.watching():
                plan.model.fit(
                    training,
                    validation_data=validation,
                    epochs=settings.epochs,
                    initial_epoch=done,
                    shuffle=False,  # Batches shuffles
                    callbacks=callbacks,
                    verbose=0,
                )
    finally:
        progress.close()
    restore_best(plan.model, run)


def best_epoch(plan: Plan, history: Sequence[Mapping[str, float]]) -> int:
    """Return the number of the best epoch, from 1; the first of equals, and 0 without any."""
    if plan.monitor is None or not history:
        return len(history)
    values = np.array([row[plan.monitor] for row in history])
    return int(np.argmin(values) if plan.mode == "min" else np.argmax(values)) + 1


def restore_best(model: keras.Model, run: Run) -> None:
    """Give ``model`` the weights of the run's best epoch.

    Raises:
        TrainingError: the run has none, or they are of another network.
    """
    _load(model, run.checkpoints / _BEST)


class _EpochSetter(keras.callbacks.Callback):
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches.set_epoch(epoch)


class _Guard(keras.callbacks.Callback):
    """Ends a training whose loss is lost: nothing after that can become right again."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if logs and not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"The loss is {logs['loss']} after step {batch + 1}: try a smaller --learning-rate."
            )


class _Keeper(keras.callbacks.Callback):
    """Writes best weights, history and last checkpoint after each epoch, in this order.

    The last checkpoint's name counts the epochs that are finished. A process that dies between
    these steps resumes one epoch earlier and does the same again.
    """

    def __init__(self, run: Run, plan: Plan, history: list[dict[str, float]]) -> None:
        super().__init__()
        self._run = run
        self._plan = plan
        self._began = 0.0
        self.history = history

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        row = {"epoch": epoch + 1, **{key: float(value) for key, value in (logs or {}).items()}}
        row["seconds"] = round(time.monotonic() - self._began, 1)
        self.history.append(row)
        if self.epochs_since_best() == 0:
            _save(self._plan.model, self._run.checkpoints / _BEST)
        self._run.write_history(list(self.history))
        last = self._run.checkpoints / f"last-{epoch + 1:04d}.weights.h5"
        _save(self._plan.model, last)
        for _, path in _last_checkpoints(self._run)[:-1]:
            path.unlink()

    def epochs_since_best(self) -> int:
        return len(self.history) - best_epoch(self._plan, self.history)


class _Patience(keras.callbacks.Callback):
    """Early stopping; unlike Keras' own it knows the epochs before a restart."""

    def __init__(self, keeper: _Keeper, patience: int) -> None:
        super().__init__()
        self._keeper = keeper
        self._patience = patience

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._keeper.epochs_since_best() >= self._patience:
            say(f"stopped early: no better for {self._patience} epochs")
            self.model.stop_training = True


def _is_exhausted(keeper: _Keeper, architecture: Architecture) -> bool:
    """Whether the run had already stopped early when it was interrupted."""
    return architecture.patience is not None and keeper.epochs_since_best() >= architecture.patience


def _last_checkpoints(run: Run) -> list[tuple[int, Path]]:
    found = [(_LAST.fullmatch(path.name), path) for path in run.checkpoints.iterdir()]
    return sorted((int(match[1]), path) for match, path in found if match)


def _restore(model: keras.Model, run: Run) -> int:
    """Load the last checkpoint, optimizer included; return the number of epochs it has."""
    checkpoints = _last_checkpoints(run)
    if not checkpoints:
        return 0
    epochs, path = checkpoints[-1]
    model.optimizer.build(model.trainable_variables)
    _load(model, path)
    return epochs


def _save(model: keras.Model, path: Path) -> None:
    # Keras insists on the ending.
    draft = path.with_name(f".draft-{path.name}")
    with warnings.catch_warnings():
        # Keras 3.15's variables do not know numpy 2's "copy" yet, and h5py asks for it.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        model.save_weights(draft, overwrite=True)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def _load(model: keras.Model, path: Path) -> None:
    try:
        model.load_weights(path)
    except FileNotFoundError as error:
        raise TrainingError(f"{path} is not there: no epoch was finished.") from error
    except (ValueError, OSError) as error:
        raise TrainingError(f"{path} does not fit the network: {error}") from error
