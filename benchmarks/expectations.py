"""What the project expects of its own speed, as ratios of requests per second within a run."""

from dataclasses import dataclass

from benchmarks.cases import case_name
from benchmarks.contestants import FLOOR, NAIVE
from benchmarks.models import CLOTHING, DENSE


@dataclass(frozen=True, slots=True)
class Expectation:
    """That in a case ours answers at least ``least`` times the requests that ``base`` does."""

    case: str
    base: str
    least: float


EXPECTATIONS = (
    Expectation(case_name(DENSE, 1, 32), FLOOR, 0.8),
    Expectation(case_name(DENSE, 64, 2), NAIVE, 3.0),
    Expectation(case_name(CLOTHING, 64, 2), NAIVE, 3.0),
)
