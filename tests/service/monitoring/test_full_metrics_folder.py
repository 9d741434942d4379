"""A file system without room for metrics ends no process, and is reported."""

import contextlib
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from service.monitoring import mapped_metric_file, metric_values, metrics_folder
from service.monitoring.exposition import exposition
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.uncounted_processes import MISSING_GAUGE
from tests.service.monitoring.conftest import FOLDER, Worker, predictions, size, values
from tests.waiting import eventually


def missing(folder: Path) -> float:
    """Return how many processes show that metrics of theirs are missing."""
    return values(folder)[MISSING_GAUGE, ()]


def test_many_versions_do_not_fill_the_folder(tmp_path: Path, start: Callable[..., Worker]) -> None:
    worker = start()
    sizes = []
    for version in range(1, 61):
        worker.tell(f"begin m {version}")
        worker.tell(f"count m {version}")
        if version > 1:
            worker.tell(f"end m {version - 1}")
        sizes.append(size(tmp_path))
    assert sizes[-1] <= max(sizes[:30]) + 16 * 1024
    assert predictions(tmp_path, version="1") is None
    assert predictions(tmp_path, version="59") == predictions(tmp_path, version="60") == 1


def test_a_full_file_system_kills_nobody_and_is_told(
    small: Path, start: Callable[..., Worker]
) -> None:
    first = start(small)
    assert first.tell("count m 1") == 0
    filler = small / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    # What had room goes on; what is new does without, in a worker that is new as well.
    assert first.tell("count m 1") == 0
    assert first.tell("many 300") > 0
    assert missing(small) == 1
    second = start(small)
    assert second.tell("count m 1") > 0
    assert second.tell("many 300") > 0
    assert predictions(small) == 2
    # Also of a process that has no file of its own.
    assert missing(small) == 2
    before = values(small)
    first.kill()
    metrics_folder.fold_ended_processes(small)
    assert missing(small) == 1
    assert predictions(small) == 2
    labels = (("model", "m"), ("signature", "serving_default"), ("version", "1"))
    assert before["understudy_predictions_total", labels] == 2
    assert second.tell("count m 1") > 0
    # There is room again: what was counted meanwhile is there.
    filler.unlink()
    eventually(lambda: second.tell("nothing") >= 0 and predictions(small) == 4)
    assert missing(small) == (second.tell("nothing") > 0)
    # However full it is of metrics themselves, the dead find room to be folded.
    assert second.tell("many 300") > 0
    second.kill()
    assert metrics_folder.fold_ended_processes(small)
    assert predictions(small) == 4
    assert start(small).tell("count m 1") == 0
    assert predictions(small) == 5


def test_workers_are_killed_and_replaced_on_a_full_file_system(
    small: Path, start: Callable[..., Worker]
) -> None:
    with (small / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    for _ in range(5):
        worker = start(small)
        assert worker.tell("count m 1") > 0
        assert worker.process.poll() is None
        worker.process.send_signal(signal.SIGKILL)
        worker.process.wait()
        metrics_folder.fold_ended_processes(small)
    assert exposition(small) == b""


def test_a_histogram_is_written_whole_or_not_at_all(
    small: Path, start: Callable[..., Worker]
) -> None:
    worker = start(small)
    worker.tell("many 400")
    found = values(small)
    histograms = {k for k in found if k[0] == "understudy_request_seconds_count"}
    assert 3 < len(histograms) < 400
    for _, labels in histograms:
        bounds = [
            k
            for k in found
            if k[0] == "understudy_request_seconds_bucket" and set(labels) <= set(k[1])
        ]
        assert len(bounds) == 18


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_whatever_keeps_files_from_growing_leaves_counting_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(mapped_metric_file, "_allocate", refuse)
    monkeypatch.setattr(metric_values, "_RETRY_S", 0.0)
    metrics = Metrics()
    metrics.version("m", "1").predictions("serving_default").inc(3)
    assert metrics.missing > 0
    # Nothing but that it is so.
    last = metrics.exposition().splitlines()[-1]
    assert (len(values(tmp_path)), last) == (1, f"{MISSING_GAUGE} 1.0".encode())
    monkeypatch.undo()
    monkeypatch.setenv(FOLDER, str(tmp_path))
    eventually(lambda: metrics.missing == 0)
    assert predictions(tmp_path) == 3
