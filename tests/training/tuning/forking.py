"""Has the two workers of this process's tuning be forks, and children, of it."""

from collections.abc import Sequence
from pathlib import Path

from tests.forked import WaitingFork
from tests.training.tuning.forked_workers import started_by

# Now: the tuning has yet to open its database.
_waiting = [WaitingFork() for _ in range(2)]


def _start(command: Sequence[str], log: Path) -> WaitingFork:
    worker = _waiting.pop()
    worker.run(command, output=log, start_new_session=True)
    return worker


setattr(*started_by(_start))
