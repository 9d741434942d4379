"""Exports a checkpoint of a run: as a version to serve, a Keras model, or weights."""

import contextlib
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from training.console.progress import say
from training.errors import UsageError
from training.fitting.checkpoints import Checkpoints
from training.fitting.run_folder import Run
from training.tasks.task_interface import Task
from training.workflows import train

_ENDINGS = {"savedmodel": "", "keras": ".keras", "weights": ".weights.h5"}


def export_checkpoint(
    task: Task[Any], run: Run, epoch: int | None, form: str, target: Path | None
) -> Path:
    """Export a checkpoint of ``run``.

    Args:
        task: that the run is of.
        run: the run; its data must be there, because the network follows from it.
        epoch: the number of finished epochs; ``None`` takes the best.
        form: "savedmodel", a version with card and golden examples, proved but not published;
            "keras", the network with its weights; "weights" alone. The last two leave out the
            optimizer, and what stands before and after the network in a version.
        target: where to; ``None`` takes a place below the run's ``exports``.

    Returns:
        the folder or file that was written.

    Raises:
        UsageError: there is no such checkpoint, or the target is there or has another ending.
        TrainingError: the data is not there, or the model does not prove itself.
    """
    ending = _ENDINGS[form]
    name = "best" if epoch is None else f"epoch-{epoch:04d}"
    path = run.exports / f"{name}{ending}" if target is None else target
    if not path.name.endswith(ending):
        raise UsageError(f"{path} must end in {ending}: Keras takes no other name for it.")
    if target is not None and path.exists():
        raise UsageError(f"{path} is there already.")
    checkpoints = Checkpoints(run.checkpoints, run.settings.checkpoints)
    if epoch is not None:
        checkpoints.of(epoch)  # before anything is loaded
    loaded, plan = train.planned(task, run)
    if epoch is None:
        checkpoints.restore_best(plan.model)
    else:
        checkpoints.restore(plan.model, epoch)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole_or_not_there(path):
        if form == "savedmodel":
            train.export_as_it_is(task, loaded, plan, run.exporting_to(path, epoch))
        else:
            _save(plan.model, path, with_network=form == "keras")
    say(f"exported to {path}")
    return path


def _save(model: Any, path: Path, *, with_network: bool) -> None:
    # A model of its own over the same layers: without optimizer and loss.
    bare = keras.Model(model.input, model.output, name=model.name)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        if with_network:
            bare.save(path)
        else:
            bare.save_weights(path, overwrite=True)


@contextlib.contextmanager
def _whole_or_not_there(path: Path) -> Iterator[None]:
    """Remove what is there of an export that fails, such as on a full disk."""
    try:
        yield
    except BaseException:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        raise
