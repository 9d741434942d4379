"""The servers that are measured, and how each is started in earnest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.cases import Case

FLOOR = "floor"
NAIVE = "naive"
FASTAPI = "fastapi"
OURS = "ours"

# The service's own default, so that the floor differs from it by the work alone.
# As many as clients at most, with some to spare.
_FLOOR_THREADS = 128


@dataclass(frozen=True)
class Contestant:
    """One server.

    Attributes:
        name: its name on the command line and in the table.
        title: what it is, for people.
        command: its arguments to Python, of a port and a number of worker processes.
        path: where a case is sent.
    """

    name: str
    title: str
    command: Callable[[int, int], Sequence[str]]
    path: Callable[[Case], str]


def _predict_path(case: Case) -> str:
    return f"/v1/models/{case.payload.model}:predict"


def _gunicorn(application: str, port: int, workers: int, *options: str) -> list[str]:
    bind = f"--bind=127.0.0.1:{port}"
    return ["-m", "gunicorn", application, bind, f"--workers={workers}", *options]


def _floor(port: int, workers: int) -> list[str]:
    threads = ("--worker-class=gthread", f"--threads={_FLOOR_THREADS}")
    return _gunicorn("benchmarks.servers.floor:create_app()", port, workers, *threads)


def _naive(port: int, workers: int) -> list[str]:
    return _gunicorn("benchmarks.servers.naive:create_app()", port, workers)


def _fastapi(port: int, workers: int) -> list[str]:
    application = ("-m", "uvicorn", "--factory", "benchmarks.servers.typed:create_app")
    address = ("--host=127.0.0.1", f"--port={port}", f"--workers={workers}")
    return [*application, *address, "--no-access-log", "--log-level=warning"]


def _ours(port: int, workers: int) -> list[str]:
    # Address and workers come from the environment, as everything of the service does.
    return ["-m", "gunicorn", "-c", "service/gunicorn.conf.py"]


CONTESTANTS: dict[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            FLOOR,
            "a constant answer from gunicorn (`gthread`) and Flask",
            _floor,
            lambda case: f"/{case.payload.name}",
        ),
        Contestant(
            NAIVE, "Flask and a loaded signature under gunicorn (`sync`)", _naive, _predict_path
        ),
        Contestant(
            FASTAPI,
            "FastAPI, pydantic and a loaded signature under uvicorn",
            _fastapi,
            _predict_path,
        ),
        Contestant(OURS, "Understudy", _ours, _predict_path),
    )
}
