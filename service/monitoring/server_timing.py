"""The header ``Server-Timing`` (W3C): what a prediction has spent in its phases."""

from time import perf_counter

from service.monitoring.prediction_phases import PHASES, PredictionPhases

_ALL = ", ".join(f"{phase};dur=%.3f" for phase in PHASES)
# Milliseconds by microseconds: to find a number is quicker than to format it, and all are found but
# those of long calls of a model.
_MILLISECONDS = tuple(f"{microseconds / 1000:.3f}" for microseconds in range(2000))


def server_timing(phases: PredictionPhases) -> str:
    """Return the phases that were reached as ``Server-Timing`` has them, in milliseconds."""
    if phases.serialise_s is not None:
        found = _MILLISECONDS
        try:
            return (
                f"parse;dur={found[int(1e6 * phases.parse_s)]}, "  # type: ignore[operator]
                f"validate;dur={found[int(1e6 * phases.validate_s)]}, "  # type: ignore[operator]
                f"wait;dur={found[int(1e6 * phases.wait_s)]}, "  # type: ignore[operator]
                f"infer;dur={found[int(1e6 * phases.infer_s)]}, "  # type: ignore[operator]
                f"serialise;dur={found[int(1e6 * phases.serialise_s)]}"
            )
        except IndexError:
            return _ALL % (
                1e3 * phases.parse_s,  # type: ignore[operator]
                1e3 * phases.validate_s,  # type: ignore[operator]
                1e3 * phases.wait_s,  # type: ignore[operator]
                1e3 * phases.infer_s,  # type: ignore[operator]
                1e3 * phases.serialise_s,
            )
    reached = phases.reached(perf_counter())
    return ", ".join([f"{phase};dur={1e3 * seconds:.3f}" for phase, _, seconds in reached])
