"""Results as markdown: a table for each figure, a row for each case, a column for each server."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.contestants import NAIVE, OURS, Contestant
from benchmarks.expectations import EXPECTATIONS, cost, rate
from benchmarks.results import Results, Spread

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
        not_run: the servers whose environments are missing.
    """

    command: str
    date: str
    machine: str
    versions: str
    commit: str
    how: str
    not_run: Sequence[str] = ()


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
        "Requests per second (the median of the rounds). A case is MODEL-ROWSxCONNECTIONS.",
        _rates(results, cases, names),
        "Processor time of the server in us a request (the median).",
        _costs(results, cases, names),
        "Latency in ms: p50 / p99 (the medians).",
        _latencies(results, cases, names),
        _errors(results, cases, names),
        *_expectations(results),
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
    if circumstances.not_run:
        lines.append(f"- Not run, without their environments: {', '.join(circumstances.not_run)}")
    return "\n".join(lines)


def _failures(results: Results) -> list[str]:
    if not results.failures:
        return []
    return ["**Failures:**", "\n".join(f"- {_one_line(text)}" for text in results.failures)]


def _rates(results: Results, cases: Sequence[Case], names: Sequence[str]) -> str:
    def over_best(case: str) -> Spread | None:
        return results.over_best(case, OURS, rate)

    return _by_case(
        cases,
        names,
        lambda case, name: _median(results.figure(case, name, rate)),
        {"ours over the best other": lambda case: _with_range(over_best(case))},
    )


def _costs(results: Results, cases: Sequence[Case], names: Sequence[str]) -> str:
    def over_naive(case: str) -> Spread | None:
        return results.ratio(case, OURS, NAIVE, cost)

    return _by_case(
        cases,
        names,
        lambda case, name: _median(results.figure(case, name, cost)),
        {f"ours over {NAIVE}": lambda case: _with_range(over_naive(case))},
    )


def _latencies(results: Results, cases: Sequence[Case], names: Sequence[str]) -> str:
    def cell(case: str, name: str) -> str:
        p50 = results.figure(case, name, lambda m: m.p50_ms)
        p99 = results.figure(case, name, lambda m: m.p99_ms)
        return f"{number(p50.median)} / {number(p99.median)}" if p50 and p99 else _NOTHING

    return _by_case(cases, names, cell, {})


def _by_case(
    cases: Sequence[Case],
    names: Sequence[str],
    cell: Callable[[str, str], str],
    more: dict[str, Callable[[str], str]],
) -> str:
    rows = (
        [
            f"`{case.name}`",
            *(cell(case.name, name) for name in names),
            *(column(case.name) for column in more.values()),
        ]
        for case in cases
    )
    return markdown_table(["case", *names, *more], rows)


def _errors(results: Results, cases: Sequence[Case], names: Sequence[str]) -> str:
    lines = []
    for case in cases:
        for name in names:
            failed = sorted(results.failed(case.name, name).items())
            if failed:
                counts = ", ".join(f"{count:,} {kind}" for kind, count in failed)
                lines.append(f"- {name}, `{case.name}`: {counts}")
    return "\n".join(["Requests that failed:", "", *lines]) if lines else "No request failed."


def _expectations(results: Results) -> list[str]:
    rows = []
    for expected in EXPECTATIONS:
        ratio = expected.ratio(results)
        if ratio:
            bound = (
                f"at most {number(expected.most)}"
                if expected.least == 0
                else f"at least {number(expected.least)}"
            )
            met = "yes" if expected.is_met(ratio) else "**no**"
            rows.append([expected.title, bound, _with_range(ratio), met])
    return [markdown_table(["expected of ours", "bound", "measured", "met"], rows)] if rows else []


def _memory(results: Results, names: Sequence[str]) -> list[str]:
    rows = [
        [name, f"{memory.pss_bytes / 2**20:,.0f}", str(memory.processes)]
        for name in names
        if (memory := results.memory.get(name))
    ]
    if not rows:
        return []
    return ["Memory:", markdown_table(["server", "PSS MiB", "processes"], rows)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
