"""The training loop: batches, checkpoints, resuming, early stopping, progress, history."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.console.progress import say
from training.errors import DivergedError, TrainingError
from training.fitting.callbacks.interrupt import InterruptBetweenBatches
from training.fitting.callbacks.live_progress import TrainingProgress
from training.fitting.callbacks.tensorboard import tensorboard_logs
from training.fitting.checkpoints import Checkpoints
from training.fitting.config import Settings, TrainingDefaults
from training.fitting.memory import keep_freed_memory
from training.fitting.run_folder import Run
from training.fitting.training_plan import MakeBatch, TrainingPlan

keep_freed_memory()


class Batches(keras.utils.PyDataset):
    """Some rows of the data, in batches whose content follows from seed, epoch and number alone.

    So an epoch is the same with or without a restart before it. Without a seed
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


def set_seed(seed: int) -> None:
    """Make all randomness of this process depend on ``seed``; called before the model is built.

    ``enable_op_determinism`` costs little on a CPU, and leaves no operation to chance.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def fit(
    plan: TrainingPlan,
    architecture: TrainingDefaults,
    run: Run,
    watchers: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Train ``plan.model`` and leave it with the weights of its best epoch.

    A run that has checkpoints goes on from the last of them. What ``watchers`` add to an epoch's
    logs becomes part of the history.

    Raises:
        DivergedError: the loss is not a number any more, or held-out figures of the epoch that is
            kept are none.
        TrainingError: a checkpoint is not of this network.
    """
    settings = run.settings
    checkpoints = Checkpoints(run.checkpoints, settings.checkpoints)
    done = checkpoints.resume(plan.model)
    if done:
        say(f"continuing after epoch {done}")
    steps = math.ceil(len(plan.training) / settings.batch_size)
    progress = TrainingProgress(plan.metric, steps, done)
    keeper = _Keeper(run, checkpoints, plan, known_history(plan, run, done)[:done])
    callbacks = [*watchers, keeper, progress, *tensorboard_logs(run.folder / "tensorboard")]
    if architecture.patience is not None:
        callbacks.append(Patience(keeper, architecture.patience))
    try:
        if done < settings.epochs and not _is_exhausted(keeper, architecture):
            learn(plan, settings, callbacks, done)
    finally:
        progress.close()
    check_figures(keeper.history, best_epoch(plan, keeper.history))
    checkpoints.restore_best(plan.model)


def learn(
    plan: TrainingPlan,
    settings: Settings,
    callbacks: Sequence[keras.callbacks.Callback],
    done: int = 0,
) -> None:
    """Train ``plan.model`` for the epochs that are left after ``done``; nothing is written.

    Raises:
        DivergedError: the loss is not a number any more.
    """
    training = Batches(plan.batch, plan.training, settings.batch_size, settings.seed)
    validation = Batches(plan.batch, plan.validation, settings.batch_size)
    interrupt = InterruptBetweenBatches()
    # TensorFlow traces a step twice if the first call creates variables, as the optimizer's would.
    plan.model.optimizer.build(plan.model.trainable_variables)
    with interrupt.watching():
        plan.model.fit(
            training,
            validation_data=validation,
            epochs=settings.epochs,
            initial_epoch=done,
            shuffle=False,  # Batches shuffles
            callbacks=[_EpochSetter(training, settings.seed), _Guard(), *callbacks, interrupt],
            verbose=0,
        )


def known_history(plan: TrainingPlan, run: Run, least: int = 1) -> list[dict[str, float]]:
    """Return the finished epochs of a run, of which there are at least so many.

    Raises:
        TrainingError: the file is damaged: there are fewer, or a column that is needed is not.
    """
    history = run.history()
    needed = ["epoch", "seconds", *([plan.monitor] if plan.monitor else [])]
    reason = f"it has {len(history)} of {least} finished epochs" if len(history) < least else ""
    if not all(math.isfinite(row.get("seconds", 0)) for row in history):
        reason = "its seconds are not all numbers"
    for name in needed:
        if not reason and any(name not in row for row in history):
            reason = f"it has no column {name}"
    if reason:
        raise TrainingError(
            f"{run.folder / 'history.csv'} is damaged: {reason}. Start a new run; this one cannot "
            "continue without it."
        )
    return history


def best_epoch(plan: TrainingPlan, history: Sequence[Mapping[str, float]]) -> int:
    """Return the number of the best epoch, from 1; the first of equals, and 0 without any.

    An epoch whose figure is not finite is worse than all others.
    """
    if plan.monitor is None or not history:
        return len(history)
    values = np.array([row[plan.monitor] for row in history])
    # NumPy takes NaN for the least and for the largest number.
    values[~np.isfinite(values)] = np.inf if plan.mode == "min" else -np.inf
    return int(np.argmin(values) if plan.mode == "min" else np.argmax(values)) + 1


def check_figures(history: Sequence[Mapping[str, float]], epoch: int) -> None:
    """Check that what was measured after an epoch can be told, before its network is exported.

    A network may answer beyond float32 though the loss of its last step is a number.

    Raises:
        DivergedError: a figure on whole sets of rows, held out or learned from, is not finite.
    """
    for row in history:
        for name, value in row.items():
            of_whole_sets = name.startswith(("val_", "train_"))
            if row["epoch"] == epoch and of_whole_sets and not math.isfinite(value):
                raise DivergedError(
                    f"{name} is {value} after epoch {epoch}: try a smaller --learning-rate."
                )


class _EpochSetter(keras.callbacks.Callback):
    """Makes all that is random in an epoch follow from seed and epoch: batches and dropout.

    The state of dropout's generators is in no weights file, so a training that is resumed could
    not go on from it.
    """

    def __init__(self, batches: Batches, seed: int) -> None:
        super().__init__()
        self._batches = batches
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._batches.set_epoch(epoch)
        weights = {id(weight) for weight in self.model.weights}
        # What is left are the generators of layers such as Dropout, uint32 [2] each.
        generators = [v for v in self.model.variables if id(v) not in weights]
        states = np.random.SeedSequence((self._seed, epoch)).generate_state(2 * len(generators))
        for generator, state in zip(generators, states.reshape(-1, 2), strict=True):
            generator.assign(state)


class _Guard(keras.callbacks.Callback):
    """Ends a training whose loss is not finite, because it cannot recover."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if logs and not math.isfinite(logs["loss"]):
            raise DivergedError(
                f"The loss is {logs['loss']} after step {batch + 1}: try a smaller --learning-rate."
            )


class Recorder(keras.callbacks.Callback):
    """Gathers what each epoch logs, and the seconds that it took, in ``history``."""

    def __init__(self, plan: TrainingPlan, history: list[dict[str, float]]) -> None:
        super().__init__()
        self._plan = plan
        self._began = 0.0
        self.history = history

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        row = {"epoch": epoch + 1, **{key: float(value) for key, value in (logs or {}).items()}}
        row["seconds"] = round(time.monotonic() - self._began, 1)
        self.history.append(row)

    def epochs_since_best(self) -> int:
        """Return the number of epochs without progress; 0 when the last is the best."""
        return len(self.history) - best_epoch(self._plan, self.history)


class _Keeper(Recorder):
    """Writes best weights, history and last checkpoint after each epoch, in this order.

    The last checkpoint's name counts the epochs that are finished. A process that dies between
    these steps resumes one epoch earlier and does the same again.
    """

    def __init__(
        self,
        run: Run,
        checkpoints: Checkpoints,
        plan: TrainingPlan,
        history: list[dict[str, float]],
    ) -> None:
        super().__init__(plan, history)
        self._run = run
        self._checkpoints = checkpoints

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        is_best = self.epochs_since_best() == 0
        if is_best:
            self._checkpoints.save_best(self._plan.model)
        self._run.write_history(list(self.history))
        self._checkpoints.save(self._plan.model, epoch + 1, is_best=is_best)


class Patience(keras.callbacks.Callback):
    """Early stopping; unlike Keras' own it knows the epochs before a restart.

    Args:
        recorder: comes before it among the callbacks.
        patience: epochs without progress after which it stops.
    """

    def __init__(self, recorder: Recorder, patience: int) -> None:
        super().__init__()
        self._recorder = recorder
        self._patience = patience

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._recorder.epochs_since_best() >= self._patience:
            say(f"stopped early: no better for {self._patience} epochs")
            self.model.stop_training = True


def _is_exhausted(keeper: _Keeper, architecture: TrainingDefaults) -> bool:
    """Whether the run had already stopped early when it was interrupted."""
    return architecture.patience is not None and keeper.epochs_since_best() >= architecture.patience
