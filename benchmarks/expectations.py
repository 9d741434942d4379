"""What the project expects of its own speed: ratios within a round, which any machine can judge."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cases import MANY_CONNECTIONS, case_name
from benchmarks.contestants import NAIVE, OURS, TRITON
from benchmarks.measure import Measurement
from benchmarks.models import CLOTHING, DENSE, ROW
from benchmarks.results import Results, Spread


@dataclass(frozen=True, slots=True)
class Expectation:
    """A bound that the median of a ratio keeps.

    Attributes:
        title: the ratio in words.
        ratio: reads it; ``None`` when its cases or servers were not measured.
        least: what it is at least.
        most: what it is at most.
    """

    title: str
    ratio: Callable[[Results], Spread | None]
    least: float = 0.0
    most: float = float("inf")

    def is_met(self, ratio: Spread) -> bool:
        """Whether the bound is kept."""
        return self.least <= ratio.median <= self.most


def rate(measurement: Measurement) -> float:
    """Requests answered, a second."""
    return measurement.requests_per_s


def cost(measurement: Measurement) -> float:
    """Processor time of the server, in us a request."""
    return measurement.cpu_us_per_request


def _tail(measurement: Measurement) -> float:
    return measurement.p99_ms / measurement.p50_ms


def _fastest(case: str) -> Expectation:
    title = f"`{case}`: requests/s over the best other server"
    return Expectation(title, lambda found: found.over_best(case, OURS, rate), least=1.0)


def _faster(case: str, base: str, least: float) -> Expectation:
    title = f"`{case}`: requests/s over {base}"
    return Expectation(title, lambda found: found.ratio(case, OURS, base, rate), least=least)


def _cheap(case: str, most: float) -> Expectation:
    title = f"`{case}`: CPU us/request over {NAIVE}"
    return Expectation(title, lambda found: found.ratio(case, OURS, NAIVE, cost), most=most)


def _steady(case: str) -> Expectation:
    title = f"`{case}`: p99 over p50"
    return Expectation(title, lambda found: found.figure(case, OURS, _tail), most=3.0)


def _holds_many(model: str) -> Expectation:
    many, base = (case_name(model, 1, count) for count in (MANY_CONNECTIONS, 128))
    title = f"`{many}`: requests/s over `{base}`"
    return Expectation(title, lambda found: found.over_case(many, base, OURS, rate), least=0.8)


EXPECTATIONS = (
    *(_fastest(case_name(model, 1, count)) for model in (DENSE, ROW) for count in (1, 8, 32, 128)),
    # On the machine where the bounds were set, naive Flask took 699 and 636 us.
    _cheap(case_name(DENSE, 1, 32), 100 / 699),
    _cheap(case_name(ROW, 1, 32), 60 / 636),
    _faster(case_name(DENSE, 64, 2), TRITON, 3.0),
    _faster(case_name(DENSE, 64, 2), NAIVE, 4.0),
    _faster(case_name(CLOTHING, 64, 2), NAIVE, 1.5),
    *(_steady(case_name(model, 1, 32)) for model in (DENSE, ROW)),
    *map(_holds_many, (DENSE, ROW)),
)
