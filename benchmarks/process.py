"""A server as a real process: started on a free port, waited for, and ended by its id."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from benchmarks import procfs
from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

_READY_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 20.0
_REQUEST_TIMEOUT_S = 30.0
# One worker that answers does not mean that all do: a server is ready when it also rests, which
# is when it used less than this over a second.
_RESTING_CPU_S = 0.1


def exit_on_sigterm() -> None:
    """Make SIGTERM an exit, so that a run that its caller ends leaves no servers behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running server; leaving its ``with`` block ends it and all its processes."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        environ: Mapping[str, str],
        log: Path,
        *,
        folder: Path = ROOT,
    ) -> None:
        """Start the process.

        Args:
            name: what to call it in messages.
            command: the program and its arguments.
            port: where it will listen.
            environ: its environment beside that of this process.
            log: the file that its output is added to.
            folder: the checkout that it runs.
        """
        self.name = name
        self.port = port
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that its workers can be ended with it.
                start_new_session=True,
            )

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def require_running(self) -> None:
        """Check that the server has not ended by itself.

        Raises:
            BenchmarkError: it has; the message holds its last words.
        """
        if self._process.poll() is not None:
            words = self._log.read_text(errors="replace").strip()[-800:]
            raise BenchmarkError(
                f"{self.name} ended with status {self._process.returncode}: {words}"
            )

    def wait_until_ready(
        self,
        path: str = "/readyz",
        timeout_s: float = _READY_TIMEOUT_S,
        resting_cpu_s: float = _RESTING_CPU_S,
    ) -> None:
        """Wait until the server answers ``GET path`` with 200 and has no more to load.

        It has none when it used less than ``resting_cpu_s`` over a second.

        Raises:
            BenchmarkError: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.require_running()
            before = procfs.cpu_seconds(self.pid)
            time.sleep(1)
            rests = procfs.cpu_seconds(self.pid) - before < resting_cpu_s
            if rests and self._is_ready(path):
                return
        raise BenchmarkError(f"{self.name} was not ready after {timeout_s:.0f} s.")

    def post(self, path: str, body: bytes) -> bytes:
        """Send one request and return the body of its answer.

        Raises:
            BenchmarkError: there was no answer, or its status was not 200.
        """
        try:
            status, answer = self._request("POST", path, body)
        except OSError as error:
            raise BenchmarkError(f"{self.name} did not answer: {error}.") from error
        if status != 200:
            raise BenchmarkError(f"{self.name} answered {status}: {answer[:200]!r}.")
        return answer

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://{HOST}:{self.port}{path}"

    def stop(self) -> None:
        """End the server: politely, then not."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_S)
        # Whatever of its group is left; none is the usual case.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _is_ready(self, path: str) -> bool:
        try:
            return self._request("GET", path, None)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _request(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_REQUEST_TIMEOUT_S)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
