"""The loop: the same seed, the same weights; a restart, the same weights; and when to stop."""

import dataclasses
import shutil
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.training.runs import figures_of
from training import tasks
from training.errors import DivergedError, TrainingError, UsageError
from training.fitting import config, run_folder, training_loop
from training.fitting.checkpoints import Checkpoints
from training.fitting.run_folder import Run
from training.fitting.training_plan import TrainingPlan
from training.tasks.task_interface import Architecture

ROWS = np.arange(64)
X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5, 0.0], np.float32))[:, None]
ARCHITECTURE = Architecture(description="", epochs=4, batch_size=16, learning_rate=0.05)


def plan(rate: float = 0.05, monitor: str | None = "val_loss", scale: float = 1.0) -> TrainingPlan:
    inputs = keras.Input((4,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(8, activation="relu")(inputs))
    hidden = keras.layers.Dropout(0.1)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    schedule = keras.optimizers.schedules.CosineDecay(rate, 24)
    model.compile(
        keras.optimizers.AdamW(schedule),
        "mse",
        metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
    )

    def batch(rows: Any, random: np.random.Generator | None) -> Any:
        noise = 0 if random is None else random.normal(0, 0.1, (len(rows), 4)).astype(np.float32)
        return X[rows] * scale + noise, Y[rows] * scale

    return TrainingPlan(
        model=model,
        batch=batch,
        training=ROWS[:48],
        validation=ROWS[48:],
        metric="mae",
        monitor=monitor,
        mode="min",
    )


def new_run(folder: Path, epochs: int = 4) -> Run:
    settings = config.resolve(
        "mpg", tasks.get("mpg").architectures, {}, {"epochs": epochs, "batch-size": 16}
    )
    return run_folder.create_run_folder(folder, settings)


def trained(run: Run, architecture: Architecture = ARCHITECTURE, **how: Any) -> list[Any]:
    training_loop.set_seed(run.settings.seed)
    ready = plan(**how)
    training_loop.fit(ready, architecture, run)
    return [weight.tolist() for weight in ready.model.get_weights()]


@dataclasses.dataclass(frozen=True)
class Finished:
    """A run that was trained to its end; for all tests, so none may change its folder."""

    run: Run
    weights: list[Any]

    def copy(self, folder: Path) -> Run:
        """Return a run of its own that is in the same state."""
        return run_folder.open_run(shutil.copytree(self.run.folder, folder / "copy"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    run = new_run(tmp_path_factory.mktemp("finished"))
    return Finished(run, trained(run))


def test_the_same_seed_gives_the_same_weights(finished: Finished, tmp_path: Path) -> None:
    second = new_run(tmp_path)
    assert trained(second) == finished.weights
    assert figures_of(second) == figures_of(finished.run)
    assert len(second.history()) == 4


def test_the_step_is_traced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, traced = keras.Model.train_step, []

    def counted(model: keras.Model, data: Any) -> Any:
        traced.append(data)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    run = new_run(tmp_path, epochs=2)
    trained(run)
    assert len(run.history()) == 2
    assert len(traced) == 1


def test_a_killed_training_goes_on_as_if_nothing_had_happened(
    finished: Finished, tmp_path: Path
) -> None:
    broken = new_run(tmp_path)

    class Killed(BaseException):
        pass

    class Killer(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.model.optimizer.iterations == 8:  # in the middle of the third epoch
                raise Killed

    training_loop.set_seed(broken.settings.seed)
    ready = plan()
    fit = ready.model.fit
    ready.model.fit = lambda *a, callbacks, **k: fit(*a, callbacks=[*callbacks, Killer()], **k)
    with pytest.raises(Killed):
        training_loop.fit(ready, ARCHITECTURE, broken)
    assert len(broken.history()) == 2
    assert trained(run_folder.open_run(broken.folder)) == finished.weights
    assert figures_of(broken) == figures_of(finished.run)


def test_the_last_epochs_are_kept_and_can_be_taken_back(finished: Finished, tmp_path: Path) -> None:
    run = new_run(tmp_path, epochs=7)
    last = trained(run)
    checkpoints = Checkpoints(run.checkpoints, 5)
    assert list(checkpoints.epochs()) == [3, 4, 5, 6, 7]
    model, same = plan().model, plan().model
    checkpoints.restore(model, 4)
    # The schedules of both runs are the same so far, and so is all that is random.
    Checkpoints(finished.run.checkpoints, 5).restore(same, 4)
    assert [w.tolist() for w in model.get_weights()] == [w.tolist() for w in same.get_weights()]
    assert [w.tolist() for w in model.get_weights()] != last
    with pytest.raises(UsageError, match="no checkpoint of epoch 2; there are: 3, 4, 5, 6, 7"):
        checkpoints.restore(model, 2)


def test_the_best_epoch_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(tmp_path, epochs=2)
    trained(run, monitor=None)  # then each epoch is the best
    best, last = run.checkpoints / "best.weights.h5", run.checkpoints / "last-0002.weights.h5"
    assert best.samefile(last)
    # A file system without second names gets two files.
    monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError()))
    other = new_run(tmp_path / "other", epochs=2)
    trained(other, monitor=None)
    assert (other.checkpoints / "last-0002.weights.h5").stat().st_nlink == 1
    assert Checkpoints(other.checkpoints, 5).epochs().keys() == {1, 2}


def test_what_a_killed_writer_left_is_not_taken_for_a_checkpoint(
    finished: Finished, tmp_path: Path
) -> None:
    run = finished.copy(tmp_path)
    (run.checkpoints / ".draft-last-0005.weights.h5").write_bytes(b"half a")
    assert trained(run) == finished.weights


def test_a_finished_run_is_not_trained_again(finished: Finished, tmp_path: Path) -> None:
    run = finished.copy(tmp_path)
    before = run.history()
    assert trained(run) == finished.weights
    assert run.history() == before


def test_the_best_epoch_is_what_remains(tmp_path: Path) -> None:
    run = new_run(tmp_path, epochs=8)
    ready = plan(rate=0.5)
    training_loop.set_seed(1)
    training_loop.fit(ready, ARCHITECTURE, run)
    best = min(row["val_loss"] for row in run.history())
    x, y = ready.batch(ready.validation, None)
    assert float(np.square(ready.model.predict(x, verbose=0) - y).mean()) == pytest.approx(
        best, rel=1e-4
    )
    assert run.history()[training_loop.best_epoch(ready, run.history()) - 1]["val_loss"] == best


def test_early_stopping_and_no_resurrection(tmp_path: Path) -> None:
    run = new_run(tmp_path, epochs=200)
    impatient = dataclasses.replace(ARCHITECTURE, patience=2)
    # At a rate that soon overshoots.
    weights = trained(run, impatient, rate=0.5)
    epochs = len(run.history())
    assert epochs < 200
    assert training_loop.best_epoch(plan(), run.history()) == epochs - 2
    assert trained(run, impatient, rate=0.5) == weights
    assert len(run.history()) == epochs


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has 0 of 4 finished epochs"),
        ("epoch,val_loss,seconds\n1,0.5,1\n", "it has 1 of 4 finished epochs"),
        ("epoch,seconds\n" + "1,1\n" * 4, "it has no column val_loss"),
        ("epoch,val_loss\n" + "1,1\n" * 4, "it has no column seconds"),
        ("epoch,val_loss,seconds\n" + "1,1,nan\n" * 4, "its seconds are not all numbers"),
    ],
)
def test_a_run_does_not_go_on_without_its_history(
    finished: Finished, tmp_path: Path, text: str, problem: str
) -> None:
    run = finished.copy(tmp_path)
    (run.folder / "history.csv").write_text(text)
    with pytest.raises(
        TrainingError, match=rf"history\.csv is damaged: {problem}\. Start a new run"
    ):
        training_loop.fit(plan(), ARCHITECTURE, run)


def test_without_a_monitor_the_last_epoch_is_kept() -> None:
    history = [{"val_loss": 1.0}, {"val_loss": 2.0}]
    assert training_loop.best_epoch(plan(monitor=None), history) == 2
    assert training_loop.best_epoch(plan(), history) == 1
    assert training_loop.best_epoch(plan(), []) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_after_the_last_batch_is_not_lost(number: signal.Signals, tmp_path: Path) -> None:
    class StopAtTheEnd(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 3:
                signal.raise_signal(number)

    run = new_run(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        training_loop.fit(plan(), ARCHITECTURE, run, [StopAtTheEnd()])
    assert len(run.history()) == 4
    training_loop.fit(plan(), ARCHITECTURE, run)


def test_an_epoch_that_diverged_is_never_the_best() -> None:
    history = [{"val_loss": value} for value in (np.nan, 3.0, 2.0, -np.inf)]
    assert training_loop.best_epoch(plan(), history) == 3
    assert training_loop.best_epoch(dataclasses.replace(plan(), mode="max"), history) == 2


def test_a_network_that_answers_no_numbers_is_not_kept(tmp_path: Path) -> None:
    """The loss of what it learns from is a number all the time."""
    given = plan()

    def batch(rows: Any, random: np.random.Generator | None) -> Any:
        inputs, truths = given.batch(rows, random)
        return (inputs, truths) if random is not None else (inputs * 1e38, truths)

    run = new_run(tmp_path)
    with pytest.raises(DivergedError, match=r"^val_\w+ is (nan|inf) after epoch \d: try a smaller"):
        training_loop.fit(dataclasses.replace(given, batch=batch), ARCHITECTURE, run)
    history = run.history()
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert np.isfinite([row["loss"] for row in history]).all()


def test_a_lost_loss_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"The loss is (nan|inf) after step \d+: try a smaller"):
        trained(new_run(tmp_path), scale=1e25)


def test_a_checkpoint_of_another_network(finished: Finished) -> None:
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(TrainingError, match=r"does not fit the network: [^\n]+\.\Z"):
        Checkpoints(finished.run.checkpoints, 5).restore_best(other)


def test_a_run_without_an_epoch_has_no_best(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no epoch was finished"):
        Checkpoints(new_run(tmp_path).checkpoints, 5).restore_best(plan().model)


def test_progress_is_plain_lines_without_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(new_run(tmp_path))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    # Steps are shown as well when they take their time.
    lines = [line for line in lines if "  step " not in line]
    assert len(lines) == 4
    assert lines[-1].startswith("epoch 4/4  loss ")
    for part in ("mae ", "val_loss ", "val_mae ", " s  ", "0:00 left"):
        assert part in lines[-1]
