"""What is read of wrk and of Linux."""

import os

import pytest

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, parse_wrk

OUTPUT = """Running 2s test @ http://127.0.0.1:1/
  1 threads and 8 connections
Requests/sec:   1000.00
MEASURED {"requests": 2000, "microseconds": 2000000, "p50_us": 1500, "p99_us": 9000, \
"failed": {"connect": 0, "read": 0, "write": 0, "status": 3, "timeout": 0}}
"""


def test_wrk_s_line_is_found_among_its_words() -> None:
    assert parse_wrk(OUTPUT) == Load(2000, 2.0, 1.5, 9.0, {"status": 3})


def test_wrk_without_its_line_has_failed() -> None:
    with pytest.raises(BenchmarkError, match="unable to connect"):
        parse_wrk("", "unable to connect to 127.0.0.1:1 Connection refused")


def test_a_process_s_name_may_hold_anything() -> None:
    fields = procfs.parse_stat("42 (odd) name (x)) S 7 42 42 0 -1 4194560 1 2 3 4 50 60 70 80 20")
    assert fields[1] == "7"
    assert fields[11:15] == ["50", "60", "70", "80"]


def test_the_machine_s_time_counts_guests_once_and_waiting_for_disks_as_idle() -> None:
    line = "cpu  100 10 40 800 50 3 7 20 30 5"
    per_s = os.sysconf("SC_CLK_TCK")
    time = procfs.parse_machine_time(line)
    assert time.total_s * per_s == pytest.approx(100 + 10 + 40 + 800 + 50 + 3 + 7 + 20)
    assert time.busy_s * per_s == pytest.approx(100 + 10 + 40 + 3 + 7 + 20)


def test_this_process_is_in_its_own_tree_and_holds_memory() -> None:
    assert procfs.tree(os.getpid())[0] == os.getpid()
    assert procfs.pss_bytes(os.getpid()) > 0
    assert procfs.cpu_seconds(os.getpid()) > 0


def test_a_process_that_is_gone_has_no_tree() -> None:
    assert procfs.tree(2**30) == []
    assert procfs.cpu_seconds(2**30) == 0
