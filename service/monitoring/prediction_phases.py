"""The phases of a prediction: when each began, and how long it took."""

from time import perf_counter

PHASES = ("parse", "validate", "wait", "infer", "serialise")
_ALL = ", ".join(f"{phase};dur=%.3f" for phase in PHASES)
# Milliseconds by microseconds: to find a number is quicker than to format it, and all are found but
# those of long calls of a model.
_MILLISECONDS = tuple(f"{microseconds / 1000:.3f}" for microseconds in range(2000))


class PredictionPhases:
    """What one prediction has spent in its phases.

    Attributes:
        parse_at: when it was begun to parse, in seconds of ``time.perf_counter``; ``None`` if it
            did not come so far. So are ``validate_at``, ``wait_at`` (for its batch), ``infer_at``
            and ``serialise_at``.
        parse_s: how many seconds that took; ``None`` unless it came to its end. So are the others.
    """

    # Not in ``__init__``: a phase costs nothing before it is reached.
    parse_at: float | None = None
    parse_s: float | None = None
    validate_at: float | None = None
    validate_s: float | None = None
    wait_at: float | None = None
    wait_s: float | None = None
    infer_at: float | None = None
    infer_s: float | None = None
    serialise_at: float | None = None
    serialise_s: float | None = None

    def reached(self, end: float) -> list[tuple[str, float, float]]:
        """Return the phases that were reached: each one's name, beginning and seconds.

        Args:
            end: when the prediction ended, in seconds of ``time.perf_counter``; the phase in which
                it failed lasted until then.
        """
        found = []
        for phase in PHASES:
            start = getattr(self, f"{phase}_at")
            if start is not None:
                seconds = getattr(self, f"{phase}_s")
                found.append((phase, start, end - start if seconds is None else seconds))
        return found

    def server_timing(self) -> str:
        """Return the phases that were reached as ``Server-Timing`` has them, in milliseconds."""
        if self.serialise_s is not None:
            found = _MILLISECONDS
            try:
                return (
                    f"parse;dur={found[int(1e6 * self.parse_s)]}, "  # type: ignore[operator]
                    f"validate;dur={found[int(1e6 * self.validate_s)]}, "  # type: ignore[operator]
                    f"wait;dur={found[int(1e6 * self.wait_s)]}, "  # type: ignore[operator]
                    f"infer;dur={found[int(1e6 * self.infer_s)]}, "  # type: ignore[operator]
                    f"serialise;dur={found[int(1e6 * self.serialise_s)]}"
                )
            except IndexError:
                return _ALL % (
                    1e3 * self.parse_s,  # type: ignore[operator]
                    1e3 * self.validate_s,  # type: ignore[operator]
                    1e3 * self.wait_s,  # type: ignore[operator]
                    1e3 * self.infer_s,  # type: ignore[operator]
                    1e3 * self.serialise_s,
                )
        reached = self.reached(perf_counter())
        return ", ".join([f"{phase};dur={1e3 * seconds:.3f}" for phase, _, seconds in reached])
