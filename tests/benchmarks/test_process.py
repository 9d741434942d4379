"""Servers as real processes: started, waited for, and ended with all that they started."""

import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.process import Server, free_port
from tests.waiting import eventually

# A server with a child, as those with workers are; the child ignores a polite end.
PARENT = """
import http.server, subprocess, sys
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == "/readyz" else 404, b"ready")

    def do_POST(self):
        self.answer(200, self.rfile.read(int(self.headers["Content-Length"])).upper())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def start(script: str, folder: Path) -> Server:
    port = free_port()
    command = [sys.executable, "-c", textwrap.dedent(script), str(port)]
    return Server("toy", command, port, {}, folder / "log")


def test_a_server_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with start(PARENT, tmp_path) as server:
        server.wait_until_ready()
        assert server.post("/", b"body") == b"BODY"
        pids = procfs.tree(server.pid)
        assert len(pids) == 2
    # A killed process is there until the kernel is done with it.
    eventually(lambda: all(_is_zombie(pid) for pid in pids))


def test_a_server_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with (
        start("import sys; sys.exit('no port')", tmp_path) as server,
        pytest.raises(BenchmarkError, match="toy ended with status 1: no port"),
    ):
        server.wait_until_ready()


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended, and only its new parent has not noticed yet."""
    try:
        return procfs.parse_stat(Path(f"/proc/{pid}/stat").read_text())[0] == "Z"
    except FileNotFoundError:
        return True
