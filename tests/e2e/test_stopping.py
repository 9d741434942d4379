"""The service ends when it is asked to, whatever it is doing: in order, soon, and without a word."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Service, eventually, free_port
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.endless import publish_endless

_BOTH = pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])


class _Started:
    """A service that is not waited for."""

    def __init__(self, models: Path, folder: Path, root: Path) -> None:
        self.errors = folder / "err"
        port = free_port()
        with (folder / "out").open("wb") as out, self.errors.open("wb") as err:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("gunicorn"), "-c", "service/gunicorn.conf.py"],
                cwd=root,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env={
                    **os.environ,
                    "MODELS": str(models),
                    "PORT": str(port),
                    "UNDERSTUDY_WORKERS": "2",
                    "UNDERSTUDY_POLL_INTERVAL_S": "0.2",
                    "UNDERSTUDY_LAME_DUCK_S": "0.2",
                    "UNDERSTUDY_DRAIN_S": "2",
                    "TMPDIR": str(folder),
                },
            )
        self.folder = folder
        self.service = Service(
            f"http://127.0.0.1:{port}", self.process, folder / "out", self.errors
        )

    def has_written(self, text: str) -> bool:
        return text in self.errors.read_text()

    def end(self, signum: int) -> None:
        """Send a signal as a terminal does (SIGINT, to all processes) or a supervisor."""
        if signum == signal.SIGINT:
            os.killpg(self.process.pid, signum)
        else:
            self.process.send_signal(signum)
        assert self.process.wait(30) == 0, self.errors.read_text()
        said = self.errors.read_text() + (self.folder / "out").read_text()
        assert "Traceback" not in said, said
        assert "SIGKILL" not in said, said
        assert [each.name for each in self.folder.glob("understudy-*")] == []
        # Nobody is left behind.
        with pytest.raises(ProcessLookupError):
            os.killpg(self.process.pid, 0)


@pytest.fixture
def started(tmp_path: Path, repository_root: Path) -> Iterator[_Started]:
    models = tmp_path / "models"
    publish_affine(models)
    folder = tmp_path / "run"
    folder.mkdir()
    started = _Started(models, folder, repository_root)
    yield started
    if started.process.poll() is None:
        os.killpg(started.process.pid, signal.SIGKILL)
        started.process.wait()


@_BOTH
def test_while_it_imports(started: _Started, signum: int) -> None:
    eventually(lambda: started.has_written("Starting gunicorn"))
    started.end(signum)


@_BOTH
def test_while_workers_start(started: _Started, signum: int) -> None:
    eventually(lambda: started.has_written("Booting worker"))
    started.end(signum)


@_BOTH
def test_while_a_model_loads_that_never_will(
    started: _Started, signum: int, tmp_path: Path
) -> None:
    eventually(lambda: started.has_written("Starting gunicorn"))
    publish_endless(tmp_path / "models", above=-1.0)
    eventually(lambda: started.has_written("A version has passed loading"))
    eventually(
        lambda: (
            '"model": "endless", "version": 1' in started.errors.read_text()
            or started.has_written('"model": "endless"')
        )
    )
    started.end(signum)


@_BOTH
def test_while_it_serves_and_swaps(started: _Started, signum: int, tmp_path: Path) -> None:
    eventually(lambda: started.has_written("Versions serve."))
    publish_affine(tmp_path / "models", bias=1.0)
    started.end(signum)


@_BOTH
def test_while_a_prediction_does_not_return(started: _Started, signum: int, tmp_path: Path) -> None:
    publish_endless(tmp_path / "models")
    eventually(lambda: started.has_written("Listening"))
    eventually(lambda: _serves(started, "endless"))
    answer = started.service.post(
        "/v1/models/endless:predict",
        {"instances": [1.0]},
        headers={"X-Request-Timeout-Ms": "100"},
    )
    assert answer.status_code == 504
    started.end(signum)


def _serves(started: _Started, model: str) -> bool:
    try:
        return started.service.get(f"/v2/models/{model}/ready").ok
    except OSError:
        return False


@_BOTH
@pytest.mark.parametrize("round_", range(int(os.environ.get("STOPPING_ROUNDS", "2"))))
def test_at_any_moment(started: _Started, signum: int, round_: int) -> None:
    eventually(lambda: started.has_written("Starting gunicorn"))
    # The moment is the case; what must hold, holds at each.
    time.sleep(random.Random(f"{signum} {round_}").uniform(0.0, 6.0))
    started.end(signum)
