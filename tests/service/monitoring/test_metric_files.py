"""The folder of metrics: what ends is folded, and no read ever loses or counts twice."""

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.monitoring import mapped_file, metric_files, metric_values
from service.monitoring.exposition import exposition
from service.monitoring.metrics import Metrics
from tests.e2e.conftest import eventually

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

# A worker: counts as it is told by lines, answers each, and ends when there are no more.
WORKER = """
import sys
from service.monitoring.metrics import Metrics

metrics = Metrics()
for line in sys.stdin:
    what, *names = line.split()
    if what == "count":
        version = metrics.version(*names)
        version.predictions.inc()
        version.parse.observe(0.002)
        version.note_batch(1, 0.5)
        metrics.answered(*names, 200).inc()
        metrics.workers_ready.set(1)
    elif what == "begin":
        metrics.begin_version(*names)
    elif what == "end":
        metrics.end_version(*names)
    elif what == "many":
        for number in range(int(names[0])):
            version = metrics.version(f"model-{number}", "1")
            version.predictions.inc()
            version.request_seconds.observe(0.1)
    print(metrics.missing, flush=True)
"""


class Worker:
    """A process that counts."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=root,
            env={**os.environ, FOLDER: str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> int:
        """Have a line done, and return how many values have no room."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self) -> None:
        """End the process as nobody can foresee, and wait until it is gone."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path, repository_root: Path) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(folder: Path = tmp_path) -> Worker:
        started.append(Worker(repository_root, folder))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting takes a privilege")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def values(folder: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition(folder).decode())
        for sample in family.samples
    }


def predictions(folder: Path, model: str = "m", version: str = "1") -> float | None:
    labels = (("model", model), ("version", version))
    return values(folder).get(("understudy_predictions_total", labels))


def size(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.iterdir())


def test_the_dead_are_folded_and_nothing_is_lost(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    sizes = []
    for number in range(1, 7):
        worker = start()
        for _ in range(3):
            worker.tell("count m 1")
        before = values(tmp_path)
        worker.kill()
        assert metric_files.fold(tmp_path)
        after = values(tmp_path)
        live = {place for place in before if place[0] == "understudy_workers_ready"}
        assert live
        assert {k: v for k, v in before.items() if k in after} == after
        assert not live & after.keys()
        assert predictions(tmp_path) == 3 * number
        sizes.append(size(tmp_path))
    assert sizes[-1] == sizes[0]
    assert not list(tmp_path.glob("*.db"))


def test_the_living_are_not_folded_whatever_their_process_ids(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    living = start()
    living.tell("count m 1")
    # As seen from a container in which nobody has that process id.
    for file in tmp_path.glob("*.db"):
        kind, owner = file.stem.rsplit("_", 1)
        file.rename(file.with_name(f"{kind}_4194305-{owner.partition('-')[2]}.db"))
    assert metric_files.fold(tmp_path)
    living.tell("count m 1")
    assert predictions(tmp_path) == 2
    assert values(tmp_path)["understudy_workers_ready", ()] == 1


def test_scrapes_see_counters_that_never_fall_and_add_up(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """While workers count and are killed, and are folded by two at once."""
    draw = random.Random(1)
    told = [0]
    seen: list[float] = []
    done = threading.Event()

    def scrape() -> None:
        last = 0.0
        while not done.is_set():
            at_least = told[0]
            count = predictions(tmp_path) or 0.0
            seen.append(count)
            assert last <= count
            # One more may be counted than was confirmed.
            assert at_least <= count <= told[0] + 1
            last = count

    failures: list[BaseException] = []

    def watched(work: Callable[[], object]) -> None:
        try:
            while not done.is_set():
                work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=watched, args=(scrape,)) for _ in range(2)]
    threads += [
        threading.Thread(target=watched, args=(lambda: metric_files.fold(tmp_path),))
        for _ in range(2)
    ]
    workers = [start(), start()]
    for thread in threads:
        thread.start()
    for _ in range(6):
        for _ in range(draw.randrange(5, 40)):
            assert workers[draw.randrange(2)].tell("count m 1") == 0
            told[0] += 1
        victim = draw.randrange(2)
        workers[victim].kill()
        workers[victim] = start()
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert metric_files.fold(tmp_path)
    assert predictions(tmp_path) == told[0]
    assert len(set(seen)) > 10


def test_a_version_that_ended_vanishes_at_once_and_never_falls_before(
    tmp_path: Path, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = start(), start()
    for worker in (one, other):
        for version in range(1, 7):
            worker.tell(f"begin m {version}")
            worker.tell(f"count m {version}")
            worker.tell(f"count m {version}")
    # The first two of five that end are handed over: three are still shown.
    for version in range(1, 6):
        one.tell(f"end m {version}")
    assert predictions(tmp_path, version="1") == 4
    assert predictions(tmp_path, version="2") == 4
    for version in range(1, 6):
        other.tell(f"end m {version}")
    # Nobody has them any more; they are kept for a while, for they may come back.
    assert predictions(tmp_path, version="1") == 4
    one.tell("begin m 1")
    one.tell("count m 1")
    assert predictions(tmp_path, version="1") == 5
    # Then what nobody has is forgotten.
    monkeypatch.setattr(metric_files, "_KEPT_S", 0.0)
    assert metric_files.fold(tmp_path)
    shown = {v for v in range(1, 7) if predictions(tmp_path, version=str(v)) is not None}
    assert shown == {1, 3, 4, 5, 6}
    assert predictions(tmp_path, version="1") == 5
    assert predictions(tmp_path, version="6") == 4
    # Should it come back now, it counts from nothing.
    other.tell("begin m 2")
    other.tell("count m 2")
    assert predictions(tmp_path, version="2") == 1
    assert [k for k in values(tmp_path) if ("version", "2") in k[1]]


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
    second = start(small)
    assert second.tell("count m 1") > 0
    assert second.tell("many 300") > 0
    assert predictions(small) == 2
    before = values(small)
    first.kill()
    metric_files.fold(small)
    assert predictions(small) == 2
    assert before[("understudy_predictions_total", (("model", "m"), ("version", "1")))] == 2
    assert second.tell("count m 1") > 0
    # There is room again: what was counted meanwhile is there.
    filler.unlink()
    eventually(lambda: second.tell("nothing") >= 0 and predictions(small) == 4)
    # However full it is of metrics themselves, the dead find room to be folded.
    assert second.tell("many 300") > 0
    second.kill()
    assert metric_files.fold(small)
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
        metric_files.fold(small)
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
    monkeypatch.setattr(mapped_file, "_allocate", refuse)
    monkeypatch.setattr(metric_values, "_RETRY_S", 0.0)
    metrics = Metrics()
    metrics.version("m", "1").predictions.inc(3)
    assert metrics.missing > 0
    assert metrics.exposition() == b""
    monkeypatch.undo()
    monkeypatch.setenv(FOLDER, str(tmp_path))
    eventually(lambda: metrics.missing == 0)
    assert predictions(tmp_path) == 3


def test_a_fork_counts_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    metrics = Metrics()
    version = metrics.version("m", "1")
    version.predictions.inc(5)
    pid = os.fork()
    if pid == 0:
        try:
            version.predictions.inc(2)
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert predictions(tmp_path) == 7
    assert metric_files.fold(tmp_path)
    version.predictions.inc()
    assert predictions(tmp_path) == 8


def test_half_a_change_is_not_seen_and_is_cleared_away(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    worker = start()
    worker.tell("count m 1")
    name = next(tmp_path.glob("counter_*.db")).name
    content = (tmp_path / name).read_bytes()
    # What one leaves that dies before its change is in force, and after.
    (tmp_path / "counter_1-a+99.db").write_bytes(content)
    (tmp_path / ".new-1-a").write_bytes(b"")
    os.utime(tmp_path / ".new-1-a", (0, 0))
    (tmp_path / ".draft-ended").write_bytes(b"1")
    assert predictions(tmp_path) == 1
    worker.kill()
    assert metric_files.fold(tmp_path)
    assert predictions(tmp_path) == 1
    (tmp_path / name).write_bytes(content)
    assert predictions(tmp_path) == 1
    metric_files.fold(tmp_path)
    assert predictions(tmp_path) == 1
    assert {file.name for file in tmp_path.iterdir()} <= {"ended", ".lock"}


def test_series_are_dropped_without_a_warning(repository_root: Path, tmp_path: Path) -> None:
    """It would stand as plain text in a log of JSON."""
    script = """
from service.monitoring.metrics import Metrics

metrics = Metrics()
for version in range(100):
    metrics.begin_version("m", str(version))
    metrics.answered("m", str(version), 200).inc()
    metrics.end_version("m", str(version))
print(len(metrics._versions))
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository_root,
        env={**os.environ, FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(result.stdout) < 100
    assert result.stderr == ""


def test_versions_that_came_and_went_leave_nothing_in_memory(
    repository_root: Path, tmp_path: Path
) -> None:
    script = """
import gc, tracemalloc
from service.monitoring.metrics import Metrics

metrics = Metrics()

def swap(version):
    metrics.begin_version("m", str(version))
    counted = metrics.version("m", str(version))
    for _ in range(3):
        counted.request_seconds.observe(0.1)
    metrics.answered("m", str(version), 200).inc()
    if version:
        metrics.end_version("m", str(version - 1))
    metrics.exposition()

def held():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]

for version in range(40):
    swap(version)
tracemalloc.start()
# What was made before is not traced, and its place is taken by what is: a full exchange.
for version in range(40, 80):
    swap(version)
before = held()
for version in range(80, 160):
    swap(version)
print(held() - before)
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository_root,
        env={**os.environ, FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # Eighty versions have some 5,000 series, and each of them takes about 500 bytes.
    assert int(result.stdout) < 200_000
