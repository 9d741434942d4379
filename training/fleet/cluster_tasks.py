"""Trains a fleet on a Ray cluster, each member as a task of it.

The folders of data, runs and models are shared by all nodes, or lie in an object store.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from training.cluster.ray_cluster import LostTask, ray_cluster
from training.fleet.fleet_file import Member
from training.fleet.member_training import FAILED, MemberVerdict, train_member


def train_on_ray(members: Sequence[Member], folder: Path, address: str) -> Iterator[MemberVerdict]:
    """Train members; yield verdicts as they come.

    A training whose node was lost goes on from its last checkpoint. Where the iterator is left
    early, what runs is interrupted, so that it can go on later.

    Args:
        members: whom.
        folder: the fleet's.
        address: of the cluster, as ``ray_cluster`` takes it.

    Raises:
        UsageError: Ray is not installed.
        TrainingError: there is no cluster at the address.
    """
    with ray_cluster(address) as cluster:
        for member in members:
            anywhere = replace(member, settings=member.settings.anywhere())
            cluster.begin(member.name, train_member, anywhere, folder.absolute())
        while not cluster.is_idle:
            for name, verdict in cluster.ended():
                if isinstance(verdict, LostTask):
                    yield MemberVerdict(name, FAILED, verdict.why, None, 0.0)
                else:
                    yield verdict
