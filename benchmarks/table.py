"""Results as markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.contestants import FLOOR, OURS, Contestant
from benchmarks.expectations import EXPECTATIONS
from benchmarks.measure import Measurement
from benchmarks.results import Figure, Results, Spread

_NOTHING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How and where the results came to be.

    Attributes:
        command: the command that was run.
        date: when it was started.
        machine: the machine, in a line.
        versions: the versions of all that took part, in a line.
        commit: the commit of the service.
        how: rounds, seconds and workers, in a line.
    """

    command: str
    date: str
    machine: str
    versions: str
    commit: str
    how: str


def render(
    results: Results,
    cases: Sequence[Case],
    contestants: Sequence[Contestant],
    circumstances: Circumstances,
) -> str:
    """Return the whole report."""
    names = [contestant.name for contestant in contestants]
    parts = [
        _circumstances(circumstances, results),
        *_failures(results),
        *_overview(results, cases, names),
        *_expectations(results, cases),
        *(part for case in cases for part in _case(results, case, names)),
        *_memory(results, names),
        "Servers:",
        "\n".join(f"- **{contestant.name}**: {contestant.title}." for contestant in contestants),
    ]
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are numbers."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def number(value: float) -> str:
    """Return a figure with three digits that count, and thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _median(spread: Spread | None) -> str:
    return number(spread.median) if spread else _NOTHING


def _with_range(spread: Spread | None) -> str:
    if spread is None:
        return _NOTHING
    if spread.least == spread.most:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)} to {number(spread.most)})"


def _circumstances(circumstances: Circumstances, results: Results) -> str:
    lines = [
        f"- Command: `{circumstances.command}`",
        f"- Date: {circumstances.date}; commit {circumstances.commit}",
        f"- Machine: {circumstances.machine}",
        f"- Versions: {circumstances.versions}",
        f"- {circumstances.how}",
    ]
    elsewhere = results.elsewhere()
    if elsewhere:
        lines.append(
            "- Processor time that went elsewhere while a server was measured: "
            f"{elsewhere.median:.0%} in the median, {elsewhere.most:.0%} at most"
        )
    return "\n".join(lines)


def _failures(results: Results) -> list[str]:
    if not results.failures:
        return []
    return ["**Failures:**", "\n".join(f"- {_one_line(text)}" for text in results.failures)]


def _overview(results: Results, cases: Sequence[Case], names: Sequence[str]) -> list[str]:
    others = [name for name in names if name != OURS]
    if OURS not in names or not others:
        return []
    rates, costs = [], []
    for case in cases:
        rate, cost = (results.figure(case.name, OURS, figure) for figure in (_rate, _cost))
        faster = [results.ratio(case.name, OURS, name, _rate) for name in others]
        cheaper = [results.ratio(case.name, name, OURS, _cost) for name in others]
        rates.append([f"`{case.name}`", _median(rate), *map(_with_range, faster)])
        costs.append([f"`{case.name}`", _median(cost), *map(_with_range, cheaper)])
    return [
        "Requests per second of ours, and how many times those of each other server they are: "
        "the median of the rounds (least to most).",
        markdown_table(["case", "ours", *(f"over {name}" for name in others)], rates),
        "Processor time of ours in us a request, and how many times as much each other server "
        "takes; this is the steadier of the two where the machine is shared.",
        markdown_table(["case", "ours", *others], costs),
    ]


def _rate(measurement: Measurement) -> float:
    return measurement.requests_per_s


def _cost(measurement: Measurement) -> float:
    return measurement.cpu_us_per_request


def _expectations(results: Results, cases: Sequence[Case]) -> list[str]:
    run = {case.name for case in cases}
    rows = []
    for expected in EXPECTATIONS:
        ratio = results.ratio(expected.case, OURS, expected.base, _rate)
        if expected.case in run and ratio:
            rows.append(
                [
                    f"`{expected.case}`: requests/s over {expected.base}",
                    number(expected.least),
                    _with_range(ratio),
                    "yes" if ratio.median >= expected.least else "**no**",
                ]
            )
    head = ["expected of ours", "at least", "measured", "met"]
    return [markdown_table(head, rows)] if rows else []


def _case(results: Results, case: Case, names: Sequence[str]) -> list[str]:
    head = ["server", "requests/s", "of the floor", "predictions/s", "p50 ms", "p99 ms"]
    head += ["CPU us/request", "of the floor's", "errors"]
    rows = [_row(results, case.name, name) for name in names]
    return [f"### {case.title} (`{case.name}`)", markdown_table(head, rows)]


def _row(results: Results, case: str, name: str) -> list[str]:
    def median(figure: Figure) -> str:
        return _median(results.figure(case, name, figure))

    def over_floor(figure: Figure) -> str:
        return _with_range(results.ratio(case, name, FLOOR, figure))

    return [
        name,
        median(_rate),
        over_floor(_rate),
        median(lambda m: m.predictions_per_s),
        median(lambda m: m.p50_ms),
        median(lambda m: m.p99_ms),
        median(_cost),
        over_floor(_cost),
        _errors(results, case, name),
    ]


def _errors(results: Results, case: str, name: str) -> str:
    if not results.has(case, name):
        return "not measured"
    failed = results.failed(case, name)
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(failed.items())) or "0"


def _memory(results: Results, names: Sequence[str]) -> list[str]:
    rows = [
        [name, f"{memory.pss_bytes / 2**20:,.0f}", str(memory.processes)]
        for name in names
        if (memory := results.memory.get(name))
    ]
    if not rows:
        return []
    return ["### Memory", markdown_table(["server", "PSS MiB", "processes"], rows)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
