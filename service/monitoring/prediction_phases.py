"""The phases of a prediction: when each began, and how long it took."""

from time import perf_counter

PHASES = ("parse", "validate", "wait", "infer", "serialise")
# Whole microseconds, as milliseconds: most phases take no longer, and to format floats costs a
# request more than twice as much as to look them up.
_MS = tuple(f"{us / 1000:.3f}" for us in range(2000))


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
            try:
                return (
                    f"parse;dur={_MS[int(1e6 * self.parse_s)]}, "  # type: ignore[operator]
                    f"validate;dur={_MS[int(1e6 * self.validate_s)]}, "  # type: ignore[operator]
                    f"wait;dur={_MS[int(1e6 * self.wait_s)]}, "  # type: ignore[operator]
                    f"infer;dur={_MS[int(1e6 * self.infer_s)]}, "  # type: ignore[operator]
                    f"serialise;dur={_MS[int(1e6 * self.serialise_s)]}"
                )
            except IndexError:
                pass  # One of them took longer.
        reached = self.reached(perf_counter())
        return ", ".join([f"{phase};dur={1e3 * seconds:.3f}" for phase, _, seconds in reached])
