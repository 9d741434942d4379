"""What alerts go by: whether a model answers, with which version, and what was refused."""

from pathlib import Path

from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_policy import Policy, write_policy
from service.runtime.load_error import Fault, LoadError
from tests.lifecycles import look_some_times, started, states
from tests.service.runtime.test_metrics_of_many import Counted

NAMES = (
    "understudy_model_unavailable",
    "understudy_refused_versions",
    "understudy_worker_live_version",
)


def publish(models: Path, version: int) -> None:
    folder = models / "m" / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")


def state(metrics: Metrics) -> list[float]:
    """Return whether the model is unavailable, its refused versions, and the one that answers."""
    found = {sample.name: sample.value for sample in metrics.samples()}
    return [found[name] for name in NAMES]


def test_alerts_see_what_answers_and_what_was_refused(tmp_path: Path) -> None:
    def load(model: str, version: int, folder: Path) -> Counted:
        if version % 2:
            raise LoadError(Fault.GOLDEN, "An example is answered differently.")
        return Counted(model, version, folder, cores=1, most_rows=64, metrics=metrics)

    metrics = Metrics()
    publish(tmp_path, 1)
    lifecycle = started(tmp_path, load=load, metrics=metrics)
    try:
        assert state(metrics) == [1, 1, 0]
        publish(tmp_path, 2)
        look_some_times(lifecycle)
        assert state(metrics) == [0, 0, 2]
        publish(tmp_path, 3)
        look_some_times(lifecycle)
        assert state(metrics) == [0, 1, 2]
        # What nobody wants any more is nothing to be woken for.
        write_policy(tmp_path / "m", Policy(versions=(2,)))
        look_some_times(lifecycle)
        assert states(lifecycle, "m")[3] != "available"
        assert state(metrics) == [0, 0, 2]
        write_policy(tmp_path / "m", Policy(unloaded=True))
        look_some_times(lifecycle)
        assert state(metrics) == [0, 0, 0]
    finally:
        lifecycle.stop()
