"""A loaded version whose prediction does not return."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from service.errors import ServiceError
from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_store import Store
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


def test_loops_run_on_threads_of_their_own_and_nothing_else_does(tmp_path: Path) -> None:
    publish_endless(tmp_path)
    publish_affine(tmp_path)
    assert _load(tmp_path, "endless")._saved_model.bounded == {"quick"}
    assert _load(tmp_path, "affine")._saved_model.bounded == {"serving_default", "only_y"}


def test_a_stuck_version_says_so_and_ends_when_it_is_retired(tmp_path: Path) -> None:
    publish_endless(tmp_path)
    servable = _load(tmp_path, "endless")
    signature = servable.contract["serving_default"]
    cost = servable.cost(signature)
    assert servable.stuck == {}
    assert servable.acquire()
    inputs = {"x": np.array([1.0], dtype=np.float32)}
    with ThreadPoolExecutor(1) as pool:
        cost.begin()
        running = pool.submit(servable.predict, signature, inputs)
        running.add_done_callback(lambda _: cost.end())
        _eventually(lambda: list(servable.stuck) == ["serving_default"])
        quick = servable.contract["quick"]
        assert servable.predict(quick, {"x": inputs["x"] * 2})["y"].tolist() == [-2]
        # Its client has got its 504, and holds the version no more.
        servable.release()
        assert not running.done()
        closed: list[bool] = []
        servable.retire(lambda: closed.append(True))
        with pytest.raises(ServiceError):
            running.result(60)
    assert closed == [True]
    assert servable.stuck == {}
