"""The service ends when it is asked to, whatever it is doing: in order, soon, and without a word."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service_state import with_faults_from_the_start
from tests.e2e.unattended import StartUnattended, Unattended, unattended
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.endless import publish_endless
from tests.waiting import eventually

_BOTH = pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])


@pytest.fixture
def start(tmp_path: Path, repository_root: Path) -> Iterator[StartUnattended]:
    publish_affine(tmp_path / "models")
    with unattended(repository_root, tmp_path / "models", tmp_path / "run") as start:
        yield start


@pytest.fixture
def started(start: StartUnattended) -> Unattended:
    return start()


@pytest.fixture
def importing(start: StartUnattended, repository_root: Path) -> Unattended:
    """A service that has yet to import all it needs; others are forked with it."""
    return start(PYTHONPATH=str(repository_root))


def _has_a_folder(started: Unattended) -> bool:
    return any(started.folder.glob("understudy-*"))


@_BOTH
def test_while_it_imports_tensorflow(importing: Unattended, signum: int) -> None:
    maps = Path(f"/proc/{importing.process.pid}/maps")
    eventually(lambda: "/libtensorflow" in maps.read_text())
    assert _has_a_folder(importing)
    importing.end(signum)
    assert importing.said() == ""


@pytest.mark.parametrize(
    ("module", "signum"),
    [
        # Before there is a folder, before TensorFlow and within it, and when gunicorn, which has
        # read its configuration, gets what is named there.
        ("service.server.shared_folder", signal.SIGTERM),
        ("tensorflow", signal.SIGINT),
        ("tensorflow.python.framework.ops", signal.SIGTERM),
        ("service.server.worker", signal.SIGINT),
        ("service.runtime.servable", signal.SIGTERM),
    ],
)
def test_before_gunicorn_has_started(
    start: StartUnattended, tmp_path: Path, repository_root: Path, signum: int, module: str
) -> None:
    faults = tmp_path / "faults"
    faults.write_text(f"hang importing {module}")
    started = start(**with_faults_from_the_start(repository_root, faults))
    eventually((tmp_path / "faults.reached").exists)
    assert _has_a_folder(started) == (module != "service.server.shared_folder")
    started.end(signum)
    assert started.said() == ""


@pytest.mark.parametrize("name", ["TERM", "INT", "QUIT"])
def test_while_it_makes_its_folder(
    start: StartUnattended, tmp_path: Path, repository_root: Path, name: str
) -> None:
    faults = tmp_path / "faults"
    faults.write_text(f"signal {name} itself mkdtemp")
    started = start(**with_faults_from_the_start(repository_root, faults))
    started.check_end()
    assert (tmp_path / "faults.reached").exists()
    assert started.said() == ""


def test_twice_while_it_imports(
    start: StartUnattended, tmp_path: Path, repository_root: Path
) -> None:
    faults = tmp_path / "faults"
    faults.write_text("hang importing tensorflow")
    started = start(**with_faults_from_the_start(repository_root, faults))
    eventually((tmp_path / "faults.reached").exists)
    for _ in range(5):
        started.send(signal.SIGINT)
    started.check_end()
    assert started.said() == ""


@_BOTH
def test_when_gunicorn_starts(started: Unattended, signum: int) -> None:
    eventually(lambda: started.has_written("Starting gunicorn"))
    started.end(signum)


@_BOTH
def test_while_workers_start(started: Unattended, signum: int) -> None:
    eventually(lambda: started.has_written("Booting worker"))
    started.end(signum)


@_BOTH
def test_while_a_model_loads_that_never_will(
    started: Unattended, signum: int, tmp_path: Path
) -> None:
    eventually(lambda: started.has_written("Starting gunicorn"))
    publish_endless(tmp_path / "models", above=-1.0, busy=True)
    eventually(lambda: started.has_written("A version has passed loading"))
    eventually(
        lambda: (
            '"model": "endless", "version": 1' in started.errors.read_text()
            or started.has_written('"model": "endless"')
        )
    )
    started.end(signum)


@_BOTH
def test_while_it_serves_and_swaps(started: Unattended, signum: int, tmp_path: Path) -> None:
    eventually(lambda: started.has_written("Versions serve."))
    publish_affine(tmp_path / "models", bias=1.0)
    started.end(signum)


@_BOTH
def test_while_a_prediction_does_not_return(
    started: Unattended, signum: int, tmp_path: Path
) -> None:
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


def _serves(started: Unattended, model: str) -> bool:
    try:
        return started.service.get(f"/v2/models/{model}/ready").ok
    except OSError:
        return False


@_BOTH
@pytest.mark.parametrize("round_", range(int(os.environ.get("STOPPING_ROUNDS", "2"))))
def test_at_any_moment(importing: Unattended, signum: int, round_: int) -> None:
    eventually(lambda: _has_a_folder(importing))
    # The moment is the case; what must hold, holds at each.
    time.sleep(random.Random(f"{signum} {round_}").uniform(0.0, 9.0))
    importing.end(signum)
