"""The loads: what wrk and k6 are told, and what is read of them."""

import os
from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.errors import BenchmarkError
from benchmarks.load import allow_connections
from benchmarks.open_loop import OpenLoad, _halves, _on_cores, find_k6, parse_k6

K6 = """
MEASURED {"requests": 90, "p50_ms": 1.5, "p99_ms": 9.25, "dropped": 10, "failed": 2}
"""


def test_k6_s_line_is_found_among_its_words() -> None:
    assert parse_k6(K6) == OpenLoad(90, 1.5, 9.25, 10, 2)


def test_k6_without_its_line_has_failed() -> None:
    with pytest.raises(BenchmarkError, match="k6 measured nothing: no such file"):
        parse_k6("", "no such file")


def test_k6_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchmarkError, match="extra 'bench'"):
        find_k6()
    (tmp_path / "k6").touch(mode=0o755)
    assert find_k6() == str(tmp_path / "k6")


def test_more_connections_than_the_machine_allows_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = [(100, 1000)]
    monkeypatch.setattr(load.resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(load.resource, "setrlimit", lambda _, limit: limits.append(limit))
    allow_connections(10)
    assert limits == [(100, 1000)]
    allow_connections(500)
    assert limits[-1] == (564, 1000)
    with pytest.raises(BenchmarkError, match="5,000 connections need `ulimit -n 5064`; it is 1000"):
        allow_connections(5000)


def test_service_and_load_share_no_processor() -> None:
    assert _halves({4, 0, 2}) == ([0], [2, 4])
    with pytest.raises(BenchmarkError, match="takes a processor beside the service's"):
        _halves({3})
    before = os.sched_getaffinity(0)
    one = min(before)
    with _on_cores([one]):
        assert os.sched_getaffinity(0) == {one}
    assert os.sched_getaffinity(0) == before
