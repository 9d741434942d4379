"""Trains a fleet on a Ray cluster. Placement, retries, resources and logs are Ray's.

Understudy is installed on every node, and the folders of data, runs and models are shared by all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from service.repository.object_store.origin import origin_url, place_of
from training.errors import TrainingError, UsageError
from training.fleet.fleet_file import Member
from training.fleet.member_training import FAILED, MemberVerdict, train_member

# How often Ray begins a training anew whose node or process was lost; it goes on from its last
# checkpoint.
_RETRIES = 3


def train_on_ray(members: Sequence[Member], folder: Path, address: str) -> Iterator[MemberVerdict]:
    """Train members as tasks of a Ray cluster; yield verdicts as they come.

    Args:
        members: whom.
        folder: the fleet's.
        address: of the cluster: ``auto`` for the one of this machine, ``HOST:PORT``, or
            ``ray://HOST:PORT``.

    Raises:
        UsageError: Ray is not installed.
        TrainingError: there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--on takes Ray, which is not installed here: pip install 'understudy[ray]'."
        ) from error
    try:
        ray.init(address=address)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise TrainingError(f"There is no Ray cluster at {address}: {error}") from error
    try:
        # A process of its own for each training, because a seed sets what is global in a process.
        remote = ray.remote(max_calls=1, max_retries=_RETRIES)(train_member)
        names = {
            remote.remote(_absolute(member), folder.absolute()): member.name for member in members
        }
        waiting = list(names)
        while waiting:
            (ended,), waiting = ray.wait(waiting, num_returns=1)
            try:
                yield ray.get(ended)
            except ray.exceptions.RayError as error:
                why = f"Ray lost it: {str(error).strip().splitlines()[0]}"
                yield MemberVerdict(names[ended], FAILED, why, None, 0.0)
    finally:
        ray.shutdown()


def _absolute(member: Member) -> Member:
    """Return a member whose paths do not count from where a node's process runs."""
    settings = member.settings
    data = None if settings.data is None else settings.data.absolute()
    # Of an object store each node has a mirror of its own.
    out = settings.out if origin_url(settings.out) else settings.out.absolute()
    return replace(member, settings=replace(settings, data=data, out=Path(place_of(out))))
