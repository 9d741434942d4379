"""A fleet as tasks of a cluster, with a stand-in for Ray."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.cluster.ray_stand_in import RayError, StandIn, ray
from training.errors import TrainingError
from training.fleet import cluster_tasks
from training.fleet.cluster_tasks import train_on_ray
from training.fleet.fleet_file import read_fleet
from training.fleet.member_training import FAILED, PUBLISHED, MemberVerdict

__all__ = ["ray"]

FLEET = """
[defaults]
task = "digits"

[[training]]
name = "north"
data = "data/north"
out = "models/north"

[[training]]
name = "south"
data = "s3://bucket/south"
out = "s3://bucket/models"
"""


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("shops.toml").write_text(FLEET)


def test_places_count_from_where_the_command_is_called(
    ray: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {}

    def train(member: Any, folder: Path) -> MemberVerdict:
        told[member.name] = (str(member.settings.data), str(member.settings.out), folder)
        return MemberVerdict(member.name, PUBLISHED, "Why.", 1, 1.0)

    monkeypatch.setattr(cluster_tasks, "train_member", train)
    ray.lost = {"north": RayError("The node died.")}
    verdicts = {
        each.member: each
        for each in train_on_ray(read_fleet(Path("shops.toml")), Path("r"), "auto")
    }
    assert verdicts["south"].outcome == PUBLISHED
    assert verdicts["north"].outcome == FAILED
    assert verdicts["north"].why == "Ray lost it: The node died."
    ray.lost = {}
    assert [
        each.outcome for each in train_on_ray(read_fleet(Path("shops.toml")), Path("r"), "auto")
    ]
    assert told["north"] == (
        str(tmp_path / "data/north"),
        str(tmp_path / "models/north"),
        tmp_path / "r",
    )
    # Each node has a mirror of its own.
    assert told["south"] == ("s3:/bucket/south", "s3:/bucket/models", tmp_path / "r")


def test_a_fleet_that_is_left_early_interrupts_the_rest(ray: StandIn) -> None:
    ray.lost = {"north": RayError("The node died.")}
    verdicts = train_on_ray(read_fleet(Path("shops.toml")), Path("r"), "auto")
    next(verdicts)
    verdicts.close()  # type: ignore[attr-defined]
    assert ray.cancelled == ["south"]


def test_no_cluster_is_an_error_in_words(ray: StandIn) -> None:
    ray.refuses = ConnectionError("Nobody answers")
    with pytest.raises(TrainingError, match="There is no Ray cluster at nowhere:1"):
        list(train_on_ray(read_fleet(Path("shops.toml")), Path("r"), "nowhere:1"))
