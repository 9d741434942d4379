"""The loads: what wrk and k6 are told, and what is read of them."""

import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.constant_rate import parse_log, run_h2load
from benchmarks.errors import BenchmarkError
from benchmarks.load import allow_connections
from benchmarks.open_loop import OpenLoad, find_k6, parse_k6

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


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")
def test_requests_are_sent_by_the_clock(url: str, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"{}")
    sent = run_h2load(url, body, rate=10, connections=2, seconds=2)
    assert sent.failed == {}
    # Some 20 are due; a closed loop would send thousands.
    assert 5 < sent.requests < 60


def test_the_log_is_read_from_when_all_clients_send() -> None:
    # Microseconds: one request each 1 ms, which takes as many ms as it is late after the first.
    lines = [f"{7_000_000 + 1000 * ms}\t200\t{1000 * ms}" for ms in range(400)]
    late = f"{7_000_000 + 150_000}\t503\t9000000"
    sent = parse_log([*lines, late], start_s=0.1, seconds=0.1)
    assert (sent.requests, sent.failed, sent.seconds) == (101, {"status": 1}, 0.1)
    assert sent.p50_ms == pytest.approx(150)
    assert 198 < sent.p99_ms < 200


def test_a_load_that_ends_before_all_clients_send_is_no_measurement() -> None:
    with pytest.raises(BenchmarkError, match="sent nothing once all"):
        parse_log(["1000\t200\t5"], start_s=1, seconds=1)
