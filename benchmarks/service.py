"""The service as the benchmarks of one aspect start it: alone, warmed up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.load import run_wrk
from benchmarks.process import HOST, Server, free_port
from service.repository.model_store import Store

_WARM_UP_S = 2
_WARM_UP_CONNECTIONS = 8
# For TensorFlow, and for each version that is loaded and proven.
_START_S = 120.0
_START_S_PER_MODEL = 5.0
# What looking for new versions takes, over all processes, at most; loading takes a core.
_RESTING_CPU_S = 0.1
_RESTING_CPU_S_PER_MODEL = 0.004


@contextmanager
def running_service(
    models: Path, scratch: Path, workers: int, *, application: str = "", **settings: str
) -> Iterator[Server]:
    """Start the service, wait until all its models serve, and end it at last.

    Args:
        models: the folder of models.
        scratch: where its log goes.
        workers: how many worker processes.
        application: another than the service's own, as gunicorn takes it.
        **settings: further environment variables.

    Raises:
        BenchmarkError: it does not start.
    """
    port = free_port()
    ours = CONTESTANTS[OURS]
    command = [str(ours.python(None)), *ours.command(port, workers)]
    if application:
        command.append(application)
    environ = {
        "MODELS": str(models),
        "HOST": HOST,
        "PORT": str(port),
        "UNDERSTUDY_WORKERS": str(workers),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **settings,
    }
    with Server("the service", command, port, environ, scratch / "service.log") as server:
        count = len(Store(models).models())
        server.wait_until_ready(
            ours.ready,
            timeout_s=_START_S + count * _START_S_PER_MODEL,
            resting_cpu_s=_RESTING_CPU_S + count * _RESTING_CPU_S_PER_MODEL,
        )
        yield server


def predict_path(model: str) -> str:
    """Return where a model is asked for predictions."""
    return CONTESTANTS[OURS].path.format(model=model)


def warm_up(server: Server, path: str, body: Path) -> None:
    """Ask for a moment, so that every worker has had its first calls.

    Raises:
        BenchmarkError: wrk failed.
    """
    run_wrk(server.url(path), body, connections=_WARM_UP_CONNECTIONS, seconds=_WARM_UP_S)
