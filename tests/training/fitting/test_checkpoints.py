"""Checkpoints where something is in the way of writing them."""

import errno
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.small_file_system import small_file_system
from training.fitting.checkpoints import Checkpoints


def network(units: int) -> keras.Model:
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(units)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_full_disk_is_named_and_the_last_checkpoint_stays(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = network(100)
    with small_file_system(tmp_path / "small", "200k") as folder:
        checkpoints = Checkpoints(folder, 2)
        checkpoints.save(model, 1)
        capfd.readouterr()
        for save in (lambda: checkpoints.save(model, 2), lambda: checkpoints.save_best(model)):
            with pytest.raises(OSError, match="No space left on device") as raised:
                save()
            assert raised.value.errno == errno.ENOSPC
            assert Path(raised.value.filename).parent == folder
        # HDF5 would print traces, and addresses in memory.
        assert capfd.readouterr().err == ""
        assert [path.name for path in folder.iterdir()] == ["last-0001.weights.h5"]
        again = network(100)
        assert checkpoints.resume(again) == 1
        assert np.array_equal(again.get_weights()[0], model.get_weights()[0])


def test_a_disk_that_fills_meanwhile_is_named_in_the_system_s_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "Can't synchronously write data (buf = 0x555c7a667d78)")

    model = network(2)
    monkeypatch.setattr(model, "save_weights", fail)
    with pytest.raises(OSError, match="No space left on device") as raised:
        Checkpoints(tmp_path, 1).save(model, 7)
    assert raised.value.filename == str(tmp_path / "last-0007.weights.h5")
    assert not [*tmp_path.iterdir()]
