"""A loaded version whose prediction does not return."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from service.errors import DeadlineError, UnavailableError
from service.metrics import Metrics
from service.repository.store import Store
from service.runtime.servable import Servable
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.endless import publish_endless


def _load(root: Path, model: str, timeout_s: float = 0.3) -> Servable:
    folder = Store(root).versions(model)[1]
    return Servable(model, 1, folder, cores=1, most_rows=8, metrics=Metrics(), timeout_s=timeout_s)


def _eventually(condition: Callable[[], bool]) -> None:
    end = monotonic() + 60
    while not condition():
        assert monotonic() < end
        sleep(0.005)


def _ask(servable: Servable, value: float, signature: str = "serving_default") -> float:
    batcher = servable.batcher(servable.contract[signature])
    inputs = {"x": np.array([value], dtype=np.float32)}
    outputs, _ = batcher.run(inputs, deadline=monotonic() + 0.3, is_gone=lambda: False)
    return float(outputs["y"][0])


def test_loops_run_on_threads_of_their_own_and_nothing_else_does(tmp_path: Path) -> None:
    publish_endless(tmp_path)
    publish_affine(tmp_path)
    assert _load(tmp_path, "endless")._bounded == {"quick"}
    assert _load(tmp_path, "affine")._bounded == {"serving_default", "only_y"}


def test_a_stuck_version_keeps_its_other_signatures_and_ends_when_it_is_retired(
    tmp_path: Path,
) -> None:
    publish_endless(tmp_path)
    servable = _load(tmp_path, "endless")
    assert _ask(servable, -1.0) == -1
    assert servable.acquire()
    with pytest.raises(DeadlineError):
        _ask(servable, 1.0)
    servable.release()
    _eventually(lambda: list(servable.stuck) == ["serving_default"])
    with pytest.raises(UnavailableError):
        _ask(servable, -1.0)
    assert _ask(servable, 2.0, "quick") == -2
    # Held by the call alone: nothing is broken off while it serves.
    servable.break_off()
    assert servable.stuck
    closed: list[bool] = []
    servable.retire(lambda: closed.append(True))
    assert not closed
    servable.break_off()
    _eventually(lambda: closed == [True])
    assert servable.stuck == {}
