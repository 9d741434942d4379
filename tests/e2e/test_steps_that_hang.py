"""Each step of a load may hang: it is given up in time, and nobody who stops waits for it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartService
from tests.e2e.service_state import (
    all_say,
    answers,
    sample,
    some_worker_says,
    wait_for_both_workers,
    with_faults,
)
from tests.e2e.unattended import StartUnattended, unattended
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.endless import publish_endless
from tests.waiting import eventually

# What each step is called, by the state that is shown meanwhile.
STEPS = {
    "verifying": "Verifying its files",
    "loading": "Loading it",
    "warming": "Warming it up",
    "proving": "Running its golden examples",
}
# In seconds: far more than a step takes that does not hang, on a busy machine as well.
LOAD_TIMEOUT_S = 5


def publish_hung(models: Path, faults: Path, step: str) -> None:
    """Publish a version of the model ``hung``, with which ``step`` never ends."""
    if step == "warming":
        publish_endless(models, above=-1.0, model="hung", busy=True)
    else:
        # The machine's doing, such as a file system that does not answer.
        faults.write_text(f"hang {step} hung")
        publish_affine(models, model="hung")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    publish_affine(tmp_path / "models", bias=10.0)
    return tmp_path / "models"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_hangs_is_given_up_in_time(
    start_service: StartService, models: Path, faults: Path, step: str
) -> None:
    service = start_service(
        models,
        UNDERSTUDY_LOAD_TIMEOUT_S=str(LOAD_TIMEOUT_S),
        **with_faults(faults),
    )
    publish_hung(models, faults, step)
    reason = f"{STEPS[step]} took longer than {LOAD_TIMEOUT_S} s."
    eventually(lambda: all_say(service, "hung", "1", "failed", reason))
    # Nobody else has noticed.
    publish_affine(models, bias=20.0)
    eventually(lambda: answers(service) == {("2", 25.0)})
    assert service.get("/readyz").ok
    # What was left behind ends when it can, and another version is another attempt.
    faults.unlink(missing_ok=True)
    eventually(lambda: sample(service, "understudy_loads_left_behind") == 0)
    publish_affine(models, model="hung", bias=30.0)
    eventually(lambda: answers(service, "hung") == {("2", 35.0)})
    assert service.stop() == 0


@pytest.fixture
def start(tmp_path: Path, repository_root: Path, models: Path) -> Iterator[StartUnattended]:
    with unattended(repository_root, models, tmp_path / "run") as start:
        yield start


@pytest.mark.parametrize(
    ("step", "is_serving", "signum"),
    [
        (step, *((False, signal.SIGINT), (True, signal.SIGTERM))[i % 2])
        for i, step in enumerate(STEPS)
    ],
)
def test_the_service_stops_while_a_step_hangs(
    start: StartUnattended,
    models: Path,
    faults: Path,
    step: str,
    is_serving: bool,
    signum: int,
) -> None:
    if not is_serving:
        publish_hung(models, faults, step)
    started = start(**with_faults(faults))
    if is_serving:
        wait_for_both_workers(started.service)
        publish_hung(models, faults, step)
        eventually(lambda: some_worker_says(started.service, "hung", "1", step))
    elif step == "warming":
        passed = '"message": "A version has passed loading.", "model": "hung"'
        eventually(lambda: started.has_written(passed))
    else:
        eventually(faults.with_name("faults.reached").exists)
    started.end(signum)
