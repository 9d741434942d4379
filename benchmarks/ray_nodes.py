"""A Ray cluster whose nodes are processes of this machine, with a processor each."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.process import HOST, ROOT, free_port

_READY_S = 120.0
_STOP_S = 20.0
_ENVIRON = {
    # Otherwise a second node is refused, for want of a token.
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # What the nodes import is what is tried.
    "PYTHONPATH": str(ROOT),
}


class RayNode:
    """A node of a cluster: all processes that belong to it."""

    def __init__(self, log: Path, *options: str) -> None:
        ray = Path(sys.executable).with_name("ray")
        command = [str(ray), "start", "--block", "--num-cpus", "1", "--node-ip-address", HOST]
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [*command, *options],
                cwd="/",
                env={**os.environ, **_ENVIRON},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pids(self) -> list[int]:
        """Its processes, its workers among them."""
        return procfs.tree(self._process.pid)

    def kill(self) -> None:
        """End all of it at once, as a loss of power would."""
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it; at once what does not end by itself."""
        pids = self.pids
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
        for pid in {*pids, *self.pids}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


class RayNodes:
    """A cluster.

    Attributes:
        address: ``HOST:PORT``.
        client_address: the same for clients on other machines, ``ray://HOST:PORT``.
        nodes: its nodes; the first is the head.
    """

    def __init__(self, folder: Path) -> None:
        """Start the head; its files go into ``folder``, whose path must be short."""
        port, client_port = free_port(), free_port()
        self.address = f"{HOST}:{port}"
        self.client_address = f"ray://{HOST}:{client_port}"
        self._log = folder / "nodes.log"
        head = ["--head", "--port", str(port), "--ray-client-server-port", str(client_port)]
        head += ["--include-dashboard", "false", "--temp-dir", str(folder)]
        self.nodes = [RayNode(self._log, *head)]
        self._await("Ray runtime started", 1)

    def add(self) -> RayNode:
        """Start another node, and return it."""
        self.nodes.append(RayNode(self._log, "--address", self.address))
        self._await("Ray runtime started", len(self.nodes))
        return self.nodes[-1]

    def stop(self) -> None:
        """End all nodes."""
        for node in reversed(self.nodes):
            node.stop()

    def _await(self, text: str, count: int) -> None:
        deadline = time.monotonic() + _READY_S
        while (said := self._log.read_text(errors="replace")).count(text) < count:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"A node of Ray did not start:\n{said}")
            time.sleep(0.1)


@contextmanager
def ray_nodes(count: int) -> Iterator[RayNodes]:
    """Run a cluster of ``count`` nodes while the block runs.

    Raises:
        BenchmarkError: a node does not start.
    """
    # Sockets lie there, whose paths are short.
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    cluster = RayNodes(folder)
    try:
        while len(cluster.nodes) < count:
            cluster.add()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
