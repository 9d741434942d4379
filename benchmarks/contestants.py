"""The servers that are measured, and how each is started in earnest."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import MANY_CONNECTIONS, Case
from benchmarks.dense import NETWORKS
from benchmarks.errors import BenchmarkError
from benchmarks.protocols import ROWS, TENSORS, Protocol

NAIVE = "naive"
FASTAPI = "fastapi"
MOSEC = "mosec"
TRITON = "triton"
OURS = "ours"

_PEER_PACKAGES = {MOSEC: ("mosec", "tensorflow"), TRITON: ("nvidia-pytriton", "tensorflow")}
_VERSIONS = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"


@dataclass(frozen=True)
class Contestant:
    """One server.

    Attributes:
        name: its name on the command line and in the tables.
        title: what it is, for people.
        command: its arguments to Python, of a port and a number of worker processes.
        path: where a model is asked, with ``{model}`` in it.
        ready: the path that answers 200 when it serves.
        protocol: how requests and answers are written.
        takes: whether it is measured in a case.
        environment: the virtual environment, below the folder of peers, that it runs in; empty
            for the benchmarks' own.
    """

    name: str
    title: str
    command: Callable[[int, int], Sequence[str]]
    path: str = "/v1/models/{model}:predict"
    ready: str = "/readyz"
    protocol: Protocol = ROWS
    takes: Callable[[Case], bool] = lambda case: case.connections < MANY_CONNECTIONS
    environment: str = ""

    def path_of(self, case: Case) -> str:
        """Return where a case is sent."""
        return self.path.format(model=case.payload.model)

    def python(self, peers: Path | None) -> str | None:
        """Return the Python that it runs with; ``None`` where its environment is missing.

        Args:
            peers: the folder of the peers' virtual environments; ``None`` for no peers.
        """
        if not self.environment:
            return sys.executable
        python = None if peers is None else peers.absolute() / self.environment / "bin" / "python"
        return str(python) if python is not None and python.exists() else None


def peer_versions(contestant: Contestant, python: str) -> str:
    """Name the versions of a peer's packages, in words; empty for what is no peer.

    Raises:
        BenchmarkError: its environment lacks a package.
    """
    packages = _PEER_PACKAGES.get(contestant.name)
    if packages is None:
        return ""
    command = [python, "-c", _VERSIONS, *packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise BenchmarkError(
            f"The environment of {contestant.name} lacks one of {', '.join(packages)}."
        )
    named = " with ".join(f"{p} {v}" for p, v in zip(packages, done.stdout.split(), strict=True))
    return f"{contestant.name}: {named}"


def _naive(port: int, workers: int) -> list[str]:
    application = ("-m", "gunicorn", "benchmarks.servers.naive:create_app()")
    return [*application, f"--bind=127.0.0.1:{port}", f"--workers={workers}"]


def _fastapi(port: int, workers: int) -> list[str]:
    application = ("-m", "uvicorn", "--factory", "benchmarks.servers.typed:create_app")
    address = ("--host=127.0.0.1", f"--port={port}", f"--workers={workers}")
    return [*application, *address, "--no-access-log", "--log-level=warning"]


def _mosec(port: int, workers: int) -> list[str]:
    options = ("--address=127.0.0.1", f"--port={port}", "--timeout=30000", "--log-level=warning")
    return ["-m", "benchmarks.servers.mosec_server", *options]


def _triton(port: int, workers: int) -> list[str]:
    return ["-m", "benchmarks.servers.triton_server", str(port), str(workers)]


def _ours(port: int, workers: int) -> list[str]:
    # Address and workers come from the environment, as everything of the service does.
    return ["-m", "gunicorn", "-c", "service/server/gunicorn.conf.py"]


def _is_for_peers(case: Case) -> bool:
    """Whether a case asks for a graph that every server can load, over not too many connections."""
    return case.payload.model in NETWORKS and case.connections < MANY_CONNECTIONS


CONTESTANTS: dict[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        Contestant(NAIVE, "Flask and a loaded signature under gunicorn (`sync`)", _naive),
        Contestant(FASTAPI, "FastAPI, pydantic and a loaded signature under uvicorn", _fastapi),
        Contestant(
            MOSEC,
            "mosec's server in Rust, one Python worker a model, batches of up to 32 requests "
            "gathered for at most 1 ms",
            _mosec,
            path="/{model}",
            ready="/",
            takes=_is_for_peers,
            environment="mosec",
        ),
        Contestant(
            TRITON,
            "Triton's server in C++, its Python backend calling TensorFlow, dynamic batching, "
            "asked in the Open Inference Protocol",
            _triton,
            path="/v2/models/{model}/infer",
            ready="/v2/health/ready",
            protocol=TENSORS,
            takes=_is_for_peers,
            environment="pytriton",
        ),
        Contestant(OURS, "Understudy", _ours, takes=lambda case: True),
    )
}
