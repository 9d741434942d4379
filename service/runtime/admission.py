"""Back-pressure: how many predictions a worker takes on before it says that it is full."""

import contextlib
import math
import threading
from collections import Counter
from collections.abc import Iterator
from time import monotonic

from service.errors import UnavailableError

# The weight of the newest request in the mean: what counts is how the last few dozen fared.
_WEIGHT = 0.05
# As a client should not be sent away for long on the strength of an estimate.
_LONGEST_RETRY_S = 60


class Admission:
    """Bounds how many predictions are under way, for each model and in all.

    A bound on the whole, below the number of threads, keeps threads free for health, metrics
    and refusals.
    """

    def __init__(self, *, per_model: int, overall: int) -> None:
        """Prepare.

        Args:
            per_model: the most predictions under way for one model.
            overall: the most predictions under way for all models together.
        """
        self._per_model = per_model
        self._overall = overall
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._total = 0
        self._seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def place(self, model: str) -> Iterator[None]:
        """Hold a place for one prediction.

        Raises:
            UnavailableError: there is none; it says when to come back.
        """
        with self._lock:
            if self._under_way[model] >= self._per_model:
                raise self._refusal(model, f"model {model!r}", self._per_model)
            if self._total >= self._overall:
                raise self._refusal(model, "this worker", self._overall)
            self._under_way[model] += 1
            self._total += 1
        start = monotonic()
        try:
            yield
        finally:
            seconds = monotonic() - start
            with self._lock:
                self._under_way[model] -= 1
                self._total -= 1
                mean = self._seconds.get(model, seconds)
                self._seconds[model] = mean + _WEIGHT * (seconds - mean)

    def _refusal(self, model: str, who: str, bound: int) -> UnavailableError:
        """Return the error, with the time in which what is under way will be done.

        By Little's law (L = lambda W) the L requests under way are done at the measured rate
        lambda in W, the mean time that a request is under way.
        """
        seconds = math.ceil(self._seconds.get(model, 0.0))
        return UnavailableError(
            f"Too many predictions are under way for {who}: {bound}, which is the limit.",
            retry_after_s=min(_LONGEST_RETRY_S, max(1, seconds)),
        )
