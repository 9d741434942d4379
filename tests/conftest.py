"""What all tests share."""

import gc
import os
import signal
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says as much of the machine as of the code.
hypothesis.settings.register_profile("untimed", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("untimed")

# Before TensorFlow is imported by any test: its start-up notices are no warnings of ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# A shell that starts the tests in the background lets them ignore Ctrl-C and SIGQUIT, and so would
# every process that a test starts and wants to end.
for _signum, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, _handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what is imported out of garbage collections: each would look at 400,000 objects.

    The service collects whenever it unloads a version.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tester's own settings out of the tests."""
    for name in list(os.environ):
        if name.startswith("UNDERSTUDY_") or name in ("HOST", "PORT", "MODELS"):
            monkeypatch.delenv(name)
    # A training sets it, and would give it to the services that are started after it.
    monkeypatch.delenv("TF_CPU_ALLOCATOR_USE_BFC", raising=False)


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The folder of the project."""
    return Path(__file__).resolve().parent.parent
