"""Logs for TensorBoard are written where it is, and not missed where it is not."""

import importlib.util
from pathlib import Path
from typing import Any

import keras
import pytest

from training.fitting.callbacks.tensorboard import tensorboard_logs


@pytest.mark.parametrize("installed", [False, True])
def test_logs_need_the_package(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> Any:
        if name == "tensorboard":
            return object() if installed else None
        return find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    callbacks = tensorboard_logs(tmp_path)
    assert [type(callback) for callback in callbacks] == [keras.callbacks.TensorBoard] * installed
