"""Looks at a store again and again: at an interval, and with back-off while it fails."""

import logging
import random
from collections.abc import Callable

from service.mirroring.mirror_metrics import MirrorMetrics
from service.monitoring.logs import log
from service.repository.errors import RepositoryError
from service.repository.object_store.mirror import Mirror, Outcome
from service.repository.object_store.mirror_folder import MirrorFolder

# After a failure: a second, and twice as long each time.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0
# So that replicas which were started together do not ask together.
_JITTER = 0.1


def follow(
    mirror: Mirror,
    folder: MirrorFolder,
    metrics: MirrorMetrics,
    *,
    interval_s: float,
    wait: Callable[[float], bool],
) -> None:
    """Let a folder follow a store until ``wait`` says that it is enough.

    What goes wrong is logged when it begins, and not with every look.

    Args:
        mirror: of which each look is one.
        folder: where the metrics are written.
        metrics: of the mirror.
        interval_s: seconds between two looks.
        wait: waits so many seconds, and returns whether to end.
    """
    known: list[str] = []
    failures = 0
    while True:
        try:
            outcome = mirror.synchronise()
        except (OSError, RepositoryError) as error:
            outcome = Outcome(problems=[f"{folder.root}: {error}"], store_failed=True)
        for event in outcome.events:
            log(logging.INFO, f"Mirror: {event}")
        for problem in outcome.problems:
            if problem not in known:
                log(logging.WARNING, f"Mirror: {problem}")
        if known and not outcome.problems:
            log(logging.INFO, "Mirror: the store is mirrored again.")
        known = outcome.problems
        metrics.note(outcome)
        try:
            folder.write_metrics(metrics.exposition())
        except OSError as error:
            log(logging.WARNING, f"Mirror: its metrics cannot be written: {error}.")
        failures = failures + 1 if outcome.store_failed else 0
        if wait(pause_s(interval_s, failures)):
            return


def pause_s(interval_s: float, failures: int) -> float:
    """Return how long to wait after a look, give or take a tenth.

    Args:
        interval_s: between looks that succeed.
        failures: how many looks have failed since one succeeded.
    """
    pause = interval_s
    if failures:
        pause = min(_FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), _LONGEST_PAUSE_S)
    return pause * random.uniform(1 - _JITTER, 1 + _JITTER)
