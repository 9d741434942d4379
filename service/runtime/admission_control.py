"""Admission control: bounds the predictions under way and rejects more (back-pressure)."""

import math
import threading
from collections import Counter

from service.errors import UnavailableError

# The weight of the newest request in the mean: what counts is how the last few dozen fared.
_WEIGHT = 0.05
# An estimate should not send a client away for long.
_LONGEST_RETRY_S = 60


class Admission:
    """Bounds how many predictions of each model are under way. Used from any thread."""

    def __init__(self, *, per_model: int) -> None:
        """An admission control with no prediction under way.

        Args:
            per_model: the most predictions under way for one model.
        """
        self._per_model = per_model
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    def enter(self, model: str) -> None:
        """Take a place for one prediction; ``leave`` gives it back.

        Raises:
            UnavailableError: there is none; it says when to come back.
        """
        with self._lock:
            if self._under_way[model] >= self._per_model:
                raise self._refusal(model, f"model {model!r}", self._per_model)
            self._under_way[model] += 1

    def leave(self, model: str, seconds: float) -> None:
        """Give a place back that was held for ``seconds``."""
        with self._lock:
            self._under_way[model] -= 1
            mean = self._seconds.get(model, seconds)
            self._seconds[model] = mean + _WEIGHT * (seconds - mean)

    @property
    def is_idle(self) -> bool:
        """Whether no prediction of any model is under way."""
        return not any(self._under_way.copy().values())

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
