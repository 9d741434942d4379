"""The report: numbers for people, tables, and their place in a document."""

from pathlib import Path

import pytest

from benchmarks import document
from benchmarks.__main__ import main
from benchmarks.cases import build_cases
from benchmarks.contestants import CONTESTANTS
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Measurement
from benchmarks.results import Memory, Results
from benchmarks.table import Circumstances, markdown_table, number, render
from service.repository.golden import Golden, GoldenExample

CIRCUMSTANCES = Circumstances(
    command="python -m benchmarks",
    date="2026-01-01 00:00 UTC",
    machine="a machine",
    versions="Python 3",
    commit="abc1234",
    how="Rounds: 2",
)
GOLDEN = Golden([GoldenExample("serving_default", {"image": [[0.0]]}, {"probabilities": [1.0]})])


def results(ours: list[int], floor: list[int]) -> Results:
    found = Results()
    for server, counts in (("ours", ours), ("floor", floor)):
        for round_, requests in enumerate(counts):
            measured = Measurement(
                requests=requests,
                rows=1,
                seconds=1.0,
                p50_ms=1.0,
                p99_ms=12.34,
                cpu_s=0.5,
                elsewhere=0.02,
                failed={"timeout": 1} if server == "ours" else {},
            )
            found.add("clothing_dense-1x32", server, round_, measured)
    return found


def report(found: Results) -> str:
    cases = build_cases({"clothing_dense": GOLDEN}, ["clothing_dense-1x32"])
    contestants = [CONTESTANTS[name] for name in ("floor", "naive", "ours")]
    return render(found, cases, contestants, CIRCUMSTANCES)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.12"), (1, "1.00"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_numbers_have_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_table_aligns_its_numbers() -> None:
    assert (
        markdown_table(["server", "x"], [["a", "1"]]) == "| server | x |\n| --- | ---: |\n| a | 1 |"
    )


def test_a_server_s_row_has_medians_and_ratios_to_the_floor() -> None:
    text = report(results(ours=[500, 900], floor=[1000, 1000]))
    assert (
        "| ours | 700 | 0.70 (0.50 to 0.90) | 700 | 1.00 | 12.3 | 778 | 1.56 (1.11 to 2.00) "
        "| 2 timeout |"
    ) in text
    assert "| floor | 1,000 | 1.00 | 1,000 | 1.00 | 12.3 | 500 | 1.00 | 0 |" in text
    assert "| `clothing_dense-1x32` | 700 | 0.70 (0.50 to 0.90) | - |" in text
    assert "| `clothing_dense-1x32` | 778 | 0.70 (0.50 to 0.90) | - |" in text
    assert "2% in the median, 2% at most" in text


def test_a_server_that_was_not_measured_is_in_the_table_and_its_failure_above() -> None:
    found = results(ours=[500], floor=[1000])
    found.failures.append("naive, clothing_dense-1x32: it answered 500:\n oops")
    text = report(found)
    assert "| naive | - | - | - | - | - | - | - | not measured |" in text
    assert "- naive, clothing_dense-1x32: it answered 500: oops" in text


@pytest.mark.parametrize(("ours", "verdict"), [(790, "**no**"), (800, "yes")])
def test_expectations_are_judged_by_the_median_ratio(ours: int, verdict: str) -> None:
    text = report(results(ours=[ours], floor=[1000]))
    assert f"requests/s over floor | 0.80 | 0.{ours // 10} | {verdict} |" in text


def test_memory_is_told_in_mebibytes() -> None:
    found = results(ours=[500], floor=[1000])
    found.memory["ours"] = Memory(300 * 2**20, 3)
    assert "| ours | 300 | 3 |" in report(found)


def test_a_report_replaces_the_last_one_and_leaves_the_rest() -> None:
    text = f"before\n\n{document.BEGIN}\n\nold\n\n{document.END}\n\nafter\n"
    expected = f"before\n\n{document.BEGIN}\n\nnew\n\n{document.END}\n\nafter\n"
    assert document.insert(text, "new\n") == expected


@pytest.mark.parametrize(
    "text", ["", document.BEGIN, document.END + document.BEGIN, 2 * (document.BEGIN + document.END)]
)
def test_a_document_without_its_marks_is_refused(text: str) -> None:
    with pytest.raises(BenchmarkError, match="once each"):
        document.insert(text, "new")


def test_a_document_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cannot be read"):
        document.check(tmp_path / "missing.md")


def test_the_cases_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "clothing-64x2" in capsys.readouterr().out.splitlines()
