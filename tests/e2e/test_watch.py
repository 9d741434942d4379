"""``make watch``: a person sees what clients notice while versions come and go."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from service.repository.golden_examples import GOLDEN
from tests.e2e.conftest import Service, StartService, free_port
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually


class Watcher:
    """A running ``python -m benchmarks.watch``, and the lines that it has printed."""

    def __init__(self, service: Service, models: Path) -> None:
        options = ["--connections", "4", "--rate", "200", "--url", service.url]
        options += ["--models", str(models)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.watch", "affine", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def says(self, part: str) -> bool:
        """Whether a line with ``part`` has been printed."""
        return any(part in line for line in self.lines)

    def kill(self) -> None:
        """End it where a test has failed."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def end(self) -> tuple[int, str]:
        """End it as Ctrl-C does; return its exit status and last line."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        self._reader.join()
        return code, self.lines[-1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as printed:
            for line in printed:
                self.lines.append(line.rstrip())


Watch = Callable[[Service, Path], Watcher]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watchers: list[Watcher] = []

    def start(service: Service, models: Path) -> Watcher:
        watchers.append(Watcher(service, models))
        return watchers[-1]

    yield start
    for watcher in watchers:
        watcher.kill()


def test_a_swap_and_a_rollback_are_seen_and_nothing_fails(
    start_service: StartService, watch: Watch, tmp_path: Path
) -> None:
    publish_affine(tmp_path)
    watcher = watch(start_service(tmp_path), tmp_path)
    eventually(lambda: watcher.says("version 1"))
    publish_affine(tmp_path, bias=10.0)
    eventually(lambda: watcher.says("version 2"))
    code, summary = watcher.end()
    assert code == 0
    assert "answers, versions 1, 2: 0 failed, 0 not what" in summary
    marks = [line for line in watcher.lines if "= version 2 took over from version 1 =" in line]
    assert len(marks) == 1


def test_a_wrong_answer_and_a_failed_one_are_counted(
    start_service: StartService, watch: Watch, tmp_path: Path
) -> None:
    publish_affine(tmp_path)
    service = start_service(tmp_path)
    golden = tmp_path / "affine" / "1" / GOLDEN
    value = json.loads(golden.read_text())
    value["examples"][0]["prediction"]["y"] += 1
    golden.write_text(json.dumps(value))
    watcher = watch(service, tmp_path)
    eventually(lambda: watcher.says("version 1"))
    service.stop()
    eventually(lambda: watcher.says("no answer"))
    code, summary = watcher.end()
    assert code == 1
    assert ": 0 failed" not in summary
    assert ", 0 not what" not in summary


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["affine"], "takes no connection"),
        (["nosuch"], "has no version with golden examples"),
        (["affine", "--url", "ftp://there"], "--url must be like http://127.0.0.1:8501"),
        (["affine", "--rate", "0"], "argument --rate: expected a number above 0, not '0'"),
        (["affine", "--connections", "0"], "expected a whole number of at least 1, not '0'"),
    ],
)
def test_what_cannot_be_watched_is_said_in_a_sentence(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    publish_affine(tmp_path)
    options = ["--models", str(tmp_path), "--url", f"http://127.0.0.1:{free_port()}"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.watch", *options, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
