"""How the phases of a prediction are written as ``Server-Timing``."""

import pytest

from service.monitoring.prediction_phases import PHASES, PredictionPhases
from service.monitoring.server_timing import server_timing


@pytest.mark.parametrize(
    ("infer_s", "written"),
    [
        (0.0, "0.000"),
        (12.3e-6, "0.012"),
        (1.9994e-3, "1.999"),
        (2.0e-3, "2.000"),
        (31.5, "31500.000"),
    ],
)
def test_short_phases_are_written_as_long_ones(infer_s: float, written: str) -> None:
    phases = PredictionPhases()
    for place, phase in enumerate(PHASES):
        setattr(phases, f"{phase}_s", (place + 1.5) * 1e-6)
    phases.infer_s = infer_s
    found = dict(item.split(";dur=") for item in server_timing(phases).split(", "))
    assert list(found) == list(PHASES)
    assert found["infer"] == written
    # To a microsecond.
    assert [float(found[phase]) for phase in PHASES if phase != "infer"] == pytest.approx(
        [0.0015, 0.0025, 0.0035, 0.0055], abs=0.00051
    )


def test_a_prediction_that_failed_has_the_phases_that_it_reached() -> None:
    phases = PredictionPhases()
    phases.parse_at, phases.parse_s, phases.validate_at = 1.0, 0.25, 1.25
    assert server_timing(phases).startswith("parse;dur=250.000, validate;dur=")
