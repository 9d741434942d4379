"""The phases of a prediction: when each began, and how long it took."""

PHASES = ("parse", "validate", "wait", "infer", "serialise")


class PredictionPhases:
    """What one prediction has spent in its phases.

    Attributes:
        parse_at: when it was begun to parse, in seconds of ``time.perf_counter``; ``None`` if it
            did not reach the phase. The same holds for ``validate_at``, ``wait_at`` (for its
            batch), ``infer_at`` and ``serialise_at``.
        parse_s: seconds that the phase took; ``None`` unless it ended. The same holds for the
            others.
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

    @property
    def has_run(self) -> bool:
        """Whether the model has run for it."""
        return self.infer_at is not None

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
