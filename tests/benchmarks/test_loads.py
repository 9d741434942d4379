"""The loads: what they send, and what is read of them."""

import http.server
import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks import load, open_loop
from benchmarks.cores import halves, on_cores
from benchmarks.errors import BenchmarkError
from benchmarks.load import allow_connections

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


class Clock(http.server.BaseHTTPRequestHandler):
    """Answers each POST with 503 if it is the tenth, twentieth..., and with 200 otherwise."""

    protocol_version = "HTTP/1.1"
    lengths: ClassVar[list[int]] = []
    numbers: ClassVar[Iterator[int]] = itertools.count(1)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.lengths.append(len(body))
        self.send_response(503 if next(self.numbers) % 10 == 0 else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Clock.lengths.clear()
    Clock.numbers = itertools.count(1)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Clock)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/predict"
    server.shutdown()
    thread.join()
    server.server_close()


@needs_compiler
def test_an_open_loop_sends_at_its_rate_and_counts_all(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_loop, "_CONNECTIONS_OPEN", 20)
    body = tmp_path / "body"
    body.write_bytes(b"[1, 2]")
    program = open_loop.compile_load(tmp_path)
    load = open_loop.run_open_loop(program, url, body, rate=100, seconds=2)
    assert load.requests == len(Clock.lengths)
    assert set(Clock.lengths) == {6}
    assert load.failed == load.requests // 10
    # 200 arrivals of a Poisson process have a standard deviation of 14.
    assert 100 < load.requests + load.dropped < 300
    assert 0 < load.p50_ms <= load.p99_ms


@needs_compiler
def test_a_load_that_fails_says_why(url: str, tmp_path: Path) -> None:
    program = open_loop.compile_load(tmp_path)
    with pytest.raises(BenchmarkError, match=r"The load failed: .*body: No such file"):
        open_loop.run_open_loop(program, url, tmp_path / "body", rate=1, seconds=1)


def test_a_compiler_that_is_missing_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchmarkError, match="There is no C compiler"):
        open_loop.compile_load(tmp_path)


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
    assert halves({4, 0, 2}) == ([0], [2, 4])
    with pytest.raises(BenchmarkError, match="takes a processor beside the service's"):
        halves({3})
    before = os.sched_getaffinity(0)
    one = min(before)
    with on_cores([one]):
        assert os.sched_getaffinity(0) == {one}
    assert os.sched_getaffinity(0) == before
