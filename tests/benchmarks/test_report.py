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
from service.repository.golden_examples import Golden, GoldenExample

CIRCUMSTANCES = Circumstances(
    command="python -m benchmarks",
    date="2026-01-01 00:00 UTC",
    machine="a machine",
    versions="Python 3",
    commit="abc1234",
    how="Rounds: 2",
    not_run=["mosec"],
)
GOLDEN = Golden([GoldenExample("serving_default", {"image": [[0.0]]}, {"probabilities": [1.0]})])


def results(ours: list[int], naive: list[int]) -> Results:
    found = Results()
    for server, counts in (("ours", ours), ("naive", naive)):
        for round_, requests in enumerate(counts):
            measured = Measurement(
                requests=requests,
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
    contestants = [CONTESTANTS[name] for name in ("naive", "triton", "ours")]
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


def test_each_figure_has_a_table_with_a_column_for_each_server() -> None:
    text = report(results(ours=[500, 900], naive=[1000, 1000]))
    assert "| case | naive | triton | ours | ours over the best other |" in text
    assert "| `clothing_dense-1x32` | 1,000 | - | 700 | 0.70 (0.50 to 0.90) |" in text
    assert "| `clothing_dense-1x32` | 500 | - | 778 | 1.56 (1.11 to 2.00) |" in text
    assert "| `clothing_dense-1x32` | 1.00 / 12.3 | - | 1.00 / 12.3 |" in text
    assert "- ours, `clothing_dense-1x32`: 2 timeout" in text
    assert "2% in the median, 2% at most" in text


def test_what_was_not_run_and_what_failed_is_told() -> None:
    found = results(ours=[500], naive=[1000])
    found.failures.append("triton, clothing_dense-1x32: it answered 500:\n oops")
    text = report(found)
    assert "- Not run, without their environments: mosec" in text
    assert "- triton, clothing_dense-1x32: it answered 500: oops" in text


@pytest.mark.parametrize(("ours", "verdict"), [(990, "**no**"), (1000, "yes")])
def test_the_best_other_server_is_to_be_reached(ours: int, verdict: str) -> None:
    text = report(results(ours=[ours], naive=[1000]))
    expected = f"requests/s over the best other server | at least 1.00 | {ours / 1000:.2f} |"
    assert f"{expected} {verdict} |" in text


@pytest.mark.parametrize(("ours", "verdict"), [(6000, "**no**"), (8000, "yes")])
def test_processor_time_is_to_stay_below_a_share_of_naive(ours: int, verdict: str) -> None:
    text = report(results(ours=[ours], naive=[1000]))
    assert f"CPU us/request over naive | at most 0.14 | {1000 / ours:.2f} | {verdict} |" in text


def test_memory_is_told_in_mebibytes() -> None:
    found = results(ours=[500], naive=[1000])
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
