"""The adapter to Ray: what becomes of tasks, and of a cluster that is none."""

import re
import socket
import sys

import pytest

from tests.training.cluster.ray_stand_in import RayError, RayTaskError, StandIn, ray
from training.cluster.ray_cluster import LostTask, ray_cluster
from training.errors import TrainingError, UsageError

__all__ = ["ray"]


def test_each_task_ends_with_its_result_or_why_there_is_none(ray: StandIn) -> None:
    ray.lost = {
        "killed": RayError("The worker died.\nIts log: ..."),
        "failed": RayTaskError("ray::failed()\n  Traceback\nModuleNotFoundError: No module 'x'"),
    }
    with ray_cluster("auto") as cluster:
        for name in ("killed", "failed", "done"):
            cluster.begin(name, divmod, 7, 2)
        ended = dict(found for _ in range(3) for found in cluster.ended())
        assert cluster.is_idle
    assert ended == {
        "killed": LostTask("Ray lost it: The worker died."),
        "failed": LostTask("It failed on its node: ModuleNotFoundError: No module 'x'."),
        "done": (3, 1),
    }
    assert ray.retries == 3
    assert ray.cancelled == []


def test_what_still_runs_when_the_block_is_left_is_interrupted(ray: StandIn) -> None:
    def train() -> None:
        with ray_cluster("auto") as cluster:
            for name in ("first", "second", "third"):
                cluster.begin(name, divmod, 7, 2)
            cluster.ended()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert ray.cancelled == ["second", "third"]


def test_only_living_nodes_count(ray: StandIn) -> None:
    ray.hosts = ["a", "b", "b"]
    with ray_cluster("auto") as cluster:
        assert cluster.hosts() == {"a", "b"}


@pytest.mark.parametrize("error", [ConnectionError, ValueError, RuntimeError, OSError])
def test_a_cluster_that_is_not_there(ray: StandIn, error: type[Exception]) -> None:
    ray.refuses = error("Nobody answers.\nMore of it.")
    with (
        pytest.raises(TrainingError, match=r"^There is no Ray cluster at auto: Nobody answers\.$"),
        ray_cluster("auto"),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:1", "Connection refused"),
        ("ray://[::1]:1", "Connection refused|Cannot assign|not supported"),
        ("nowhere", "expected auto, HOST:PORT or ray://HOST:PORT"),
        ("127.0.0.1:", "expected auto, HOST:PORT or ray://HOST:PORT"),
    ],
)
def test_ray_is_not_asked_where_nothing_listens(ray: StandIn, address: str, why: str) -> None:
    ray.refuses = AssertionError("It would try for minutes.")
    words = rf"^There is no Ray cluster at {re.escape(address)}: .*({why})\.$"
    with pytest.raises(TrainingError, match=words), ray_cluster(address):
        pass


def test_where_something_listens_ray_is_asked(ray: StandIn) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        ray_cluster(f"127.0.0.1:{listener.getsockname()[1]}"),
    ):
        assert ray.is_connected


def test_a_cluster_that_goes_away(ray: StandIn) -> None:
    with (
        pytest.raises(TrainingError, match=r"^The Ray cluster at auto is gone: Bye\. Run the same"),
        ray_cluster("auto"),
    ):
        raise ConnectionError("Bye.")


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'understudy\[ray\]'"), ray_cluster("auto"):
        pass
