"""Signals that stop a training between two batches."""

import signal
from collections.abc import Iterator

import pytest

from training.fitting.callbacks.interrupt import InterruptBetweenBatches


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def signum(request: pytest.FixtureRequest) -> Iterator[int]:
    """A signal whose handler is put back."""
    before = signal.getsignal(request.param)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_that_is_ignored_stays_so(signum: int) -> None:
    """A script's shell has what it starts in the background ignore Ctrl-C."""
    signal.signal(signum, signal.SIG_IGN)
    interrupt = InterruptBetweenBatches()
    with interrupt.watching():
        signal.raise_signal(signum)
        interrupt.on_train_batch_end(0)
    assert signal.getsignal(signum) is signal.SIG_IGN


def stopped(signum: int, *, times: int, batch_ends: bool) -> bool:
    """Whether a training is stopped by a signal that comes within a batch."""
    interrupt = InterruptBetweenBatches()
    try:
        with interrupt.watching():
            for _ in range(times):
                signal.raise_signal(signum)
            if batch_ends:
                interrupt.on_test_batch_end(0)
            return False
    except KeyboardInterrupt:
        return True


@pytest.mark.parametrize(
    ("times", "batch_ends"),
    # After the batch; after the last one, while a checkpoint is written, say; at once.
    [(1, True), (1, False), (2, True)],
)
def test_a_signal_stops_the_training(signum: int, times: int, batch_ends: bool) -> None:
    signal.signal(signum, signal.SIG_DFL)
    assert stopped(signum, times=times, batch_ends=batch_ends)
    assert signal.getsignal(signum) is signal.SIG_DFL
