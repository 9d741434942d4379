"""What a mirror has to do: a pure function of what is there and what is here.

Nothing here asks a store, a disk or a clock, so every story of failures is a test of a few lines.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from service.repository.model_policy import POLICY, Policy
from service.repository.object_store.bucket import StoredObject
from service.repository.object_store.listing import Listing, RemoteModel, RemoteVersion

# What is gone from the store stays for so long, in seconds: a listing can err.
RETENTION_S = 600.0
# A version that came, but not as its manifest says, is fetched again after so long; each time
# twice as long, unless something of it changes.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 30.0, 3600.0

# A model, and the name of a version or of the policy file.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What the folder holds of a model.

    Attributes:
        versions: the identities of the versions that are there, by name; empty of one that may be
            from elsewhere.
        policy: the mark of its policy file as it was fetched; ``None`` where none was.
        parsed_policy: its policy, parsed.
        serving: the versions that a service reports to serve.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    parsed_policy: Policy = field(default_factory=Policy)
    serving: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class UnfitVersion:
    """A version that came, but not as its manifest says.

    Attributes:
        fingerprint: of its objects, as they were listed.
        again_at: when it is fetched again though they look the same.
        pause_s: how long that was.
    """

    fingerprint: str
    again_at: float
    pause_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from one look to the next.

    Attributes:
        fingerprints: of each version at the last look.
        absent: since when something of the folder is not wanted any more.
        refused: versions that came, but not as they should.
    """

    fingerprints: Mapping[Place, str] = field(default_factory=dict)
    absent: Mapping[Place, float] = field(default_factory=dict)
    refused: Mapping[Place, UnfitVersion] = field(default_factory=dict)

    def refusing(self, place: Place, fingerprint: str, now: float) -> "Memory":
        """Return the memory with a version that did not come as it should."""
        before = self.refused.get(place)
        again = before is not None and before.fingerprint == fingerprint
        pause = min(2 * before.pause_s, _LONGEST_PAUSE_S) if before and again else _FIRST_PAUSE_S
        unfit = UnfitVersion(fingerprint, now + pause, pause)
        return replace(self, refused={**self.refused, place: unfit})


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Bring a model's policy."""

    model: str
    stored: StoredObject


@dataclass(frozen=True, slots=True)
class FetchVersion:
    """Bring a version."""

    model: str
    version: str
    remote: RemoteVersion


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a version, or the policy, which is gone from the store."""

    model: str
    name: str


Action = FetchPolicy | FetchVersion | Remove


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look at a store leads to.

    Attributes:
        actions: what is to be done, in this order.
        memory: what is to be remembered until the next look.
        waits: whether a version is there that should be here, and cannot come yet.
    """

    actions: tuple[Action, ...]
    memory: Memory
    waits: bool


def next_actions(
    listing: Listing,
    local: Mapping[str, LocalModel],
    memory: Memory,
    now: float,
    *,
    retention_s: float = RETENTION_S,
) -> Plan:
    """Return what makes the folder like the store.

    - A policy comes before its versions: it may say that a version must not serve.
    - Of versions those come first that serve, then higher ones before lower ones. Where the policy
      says how many are kept, others do not come.
    - A version with a manifest is whole. One without comes when nothing of it has changed for a
      whole look, and never where a publisher has taken its number: its manifest is still to come.
    - What is gone is removed once every look of ``retention_s`` seconds has missed it; never
      when the store seems to hold nothing at all. What serves is removed only if it is gone
      itself, and not for being beyond what is kept.

    Args:
        listing: what the store holds.
        local: what the folder holds, by model.
        memory: what the last plan said.
        now: seconds, by a clock that never goes back.
        retention_s: how long what is gone stays; 0: it is removed at the first look.
    """
    actions: list[Action] = []
    fingerprints: dict[Place, str] = {}
    absent: dict[Place, float] = {}
    waits = False
    for model in sorted({*listing.models, *local}):
        remote, here = listing.models.get(model, RemoteModel()), local.get(model, LocalModel())
        if remote.policy is not None and remote.policy.mark != here.policy:
            actions.append(FetchPolicy(model, remote.policy))
        desired = _desired_versions(remote, here)
        for version, found in _in_order(desired, here.parsed_policy):
            place = (model, version)
            fingerprints[place] = found.fingerprint
            if here.versions.get(version) == found.identity or not _is_whole(place, found, remote):
                continue
            if _may_come(place, found, memory, now):
                actions.append(FetchVersion(model, version, found))
            else:
                waits = True
        for name in _surplus_names(remote, here, desired):
            place = (model, name)
            absent[place] = memory.absent.get(place, now)
            missed_before = place in memory.absent or retention_s == 0
            is_over = now - absent[place] >= retention_s
            if listing.has_versions and missed_before and is_over:
                actions.append(Remove(model, name))
    refused = {place: it for place, it in memory.refused.items() if place in fingerprints}
    # With nothing in it, the listing may be that of a wrong place: it is no reason to forget.
    kept = absent if listing.has_versions else memory.absent
    return Plan(tuple(actions), Memory(fingerprints, kept, refused), waits)


def _desired_versions(remote: RemoteModel, here: LocalModel) -> dict[str, RemoteVersion]:
    """Return the versions that should be here: all, or those that the policy keeps."""
    if here.parsed_policy.keep is None:
        return remote.versions
    numbers = sorted(map(int, remote.versions))
    kept = {*numbers[-here.parsed_policy.keep :], *here.parsed_policy.in_use(numbers)}
    return {name: found for name, found in remote.versions.items() if int(name) in kept}


def _in_order(
    desired: Mapping[str, RemoteVersion], policy: Policy
) -> Iterator[tuple[str, RemoteVersion]]:
    first = set(policy.select(map(int, desired)))
    yield from sorted(desired.items(), key=lambda item: (int(item[0]) not in first, -int(item[0])))


def _is_whole(place: Place, found: RemoteVersion, remote: RemoteModel) -> bool:
    """Whether a version may be all there: its manifest is still to come where a number is taken."""
    return found.has_manifest or (found.has_graph and int(place[1]) not in remote.taken)


def _may_come(place: Place, found: RemoteVersion, memory: Memory, now: float) -> bool:
    unfit = memory.refused.get(place)
    if unfit is not None and unfit.fingerprint == found.fingerprint and now < unfit.again_at:
        return False
    return found.has_manifest or memory.fingerprints.get(place) == found.fingerprint


def _surplus_names(
    remote: RemoteModel, here: LocalModel, desired: Mapping[str, RemoteVersion]
) -> Iterator[str]:
    """Yield what is here, came from the store, and is not wanted any more."""
    for version, identity in here.versions.items():
        is_live = version in remote.versions and int(version) in here.serving
        if identity and version not in desired and not is_live:
            yield version
    if here.policy is not None and remote.policy is None:
        yield POLICY
