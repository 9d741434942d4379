"""Which of two versions answers a request: decided by a hash, the same everywhere."""

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Protocol

from service.repository.rollout_policy import Rollout, Stage
from service.runtime.arm_counts import ArmCounts, RequestOutcome

_ALL = 2**64


def hash64(salt: str, model: str, key: str) -> int:
    """Return a number from 0 to 2**64 - 1 that depends on all three texts, and on nothing else.

    It is the digest of 8 bytes, most significant first, that BLAKE2b has of the texts' UTF-8 with a
    zero byte between them; so clients and other replicas can compute it.
    """
    text = f"{salt}\0{model}\0{key}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class TrafficSplit:
    """How requests that name no version are split while a rollout is under way.

    Attributes:
        rollout: the rollout's id, the salt of the hash.
        champion: the version that served before.
        candidate: the version on trial.
        stage: how far the rollout has come.
        percent: the share of requests that the candidate answers.
    """

    rollout: str
    champion: int
    candidate: int
    stage: Stage
    percent: float

    @property
    def leading(self) -> int:
        """The version that answers requests whose arm nobody asks for."""
        return self.candidate if self.stage is Stage.BAKING else self.champion

    def is_candidates(self, hashed: int) -> bool:
        """Whether the candidate answers a request; who is its at 1 % is so at 5 % as well."""
        return hashed < self.percent / 100 * _ALL

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def split_from_json(value: dict[str, Any]) -> TrafficSplit:
    """Return what ``to_json`` wrote."""
    return TrafficSplit(**{**value, "stage": Stage(value["stage"])})


def split_of(rollout: Rollout | None, versions: tuple[int, ...]) -> TrafficSplit | None:
    """Return how a rollout splits requests; ``None`` unless both its versions serve."""
    if rollout is None or rollout.candidate is None or not set(rollout.versions) <= set(versions):
        return None
    return TrafficSplit(
        rollout.id, rollout.champion, rollout.candidate, rollout.stage, rollout.percent
    )


class Routed(Protocol):
    """A request that may be split.

    Attributes:
        routing_key: what its arm depends on.
        has_own_key: whether the client chose the key, so that other requests may have the same.
        arm: where its outcome is counted, once it has an arm.
    """

    @property
    def routing_key(self) -> str: ...

    @property
    def has_own_key(self) -> bool: ...

    arm: "Arm | None"


@dataclass(frozen=True, slots=True)
class Arm:
    """Where the outcomes of requests are counted: one that has a key, or all without one.

    Attributes:
        trial: the counts of both arms.
        is_candidate: whether it is the candidate's.
        key: the hash of the request's key where the client chose that; else ``None``.
    """

    trial: "Trial"
    is_candidate: bool
    key: int | None

    def note(self, outcome: RequestOutcome, *, is_refusal: bool = False) -> None:
        """Count what became of a request.

        Args:
            outcome: what became of it.
            is_refusal: whether the contract refused it, so that the model never ran. Where both
                versions have the same contract that says nothing of either, and is not counted.
        """
        if is_refusal and outcome is RequestOutcome.FAILED and self.trial.refuse_alike:
            return
        self.trial.counts.note(outcome, is_candidate=self.is_candidate, key=self.key)


class Trial:
    """A split in one worker, and what it has counted there.

    Attributes:
        split: the split.
        refuse_alike: whether both versions' contracts refuse the same requests.
        counts: the outcomes of the requests that it split.
    """

    __slots__ = ("_arms", "_is_certain", "_model", "counts", "refuse_alike", "split")

    def __init__(self, model: str, split: TrafficSplit, *, refuse_alike: bool) -> None:
        self._model = model
        self.split = split
        self.refuse_alike = refuse_alike
        self.counts = ArmCounts()
        # Of requests whose clients chose no key: the champion's and the candidate's.
        self._arms = (Arm(self, False, None), Arm(self, True, None))
        # Nothing is to be drawn where one version answers all.
        self._is_certain = split.percent in (0, 100)

    def choose(self, request: Routed) -> int:
        """Return the version that answers a request, and let the request know its arm."""
        split, has_own_key = self.split, request.has_own_key
        if self._is_certain and not has_own_key:
            is_candidate = split.percent > 0
        else:
            hashed = hash64(split.rollout, self._model, request.routing_key)
            is_candidate = split.is_candidates(hashed)
        request.arm = Arm(self, is_candidate, hashed) if has_own_key else self._arms[is_candidate]
        return split.candidate if is_candidate else split.champion
