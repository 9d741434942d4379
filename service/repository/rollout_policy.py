"""A rollout in a version policy: which version is on trial, how far it has come, by what rules."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from service.repository.contract import is_one_of
from service.repository.errors import RepositoryError
from service.repository.json_files import shown

# A rollout's key in a policy.
ROLLOUT = "rollout"


class Stage(StrEnum):
    """The stage of a rollout.

    Attributes:
        WAITING: it has no candidate yet; the champion answers.
        SHADOW: the candidate answers batches again; its answers are only compared.
        CANARY: it answers some of the requests.
        BAKING: it answers all of them, and the champion stays loaded.
    """

    WAITING = "waiting"
    SHADOW = "shadow"
    CANARY = "canary"
    BAKING = "baking"


class OnTimeout(StrEnum):
    """What happens when the evidence decides nothing by a step's deadline."""

    HOLD = "hold"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, slots=True)
class RolloutRules:
    """The rules by which a rollout goes on.

    Attributes:
        percents: the shares of requests that the candidate answers, step by step; rising, each
            above 0 and below 100.
        alpha: the chance of rolling back a candidate that is as good, at most; and of promoting one
            that does harm above a margin.
        error_margin: how much more of the requests may fail; a tenth of it once the candidate fails
            more often.
        latency_margin: how much longer the candidate may take for a batch; 0.25 is a quarter. Less
            than 0.05 counts as that, since less is not told apart.
        slow_margin: for how many more of the batches it may take more than twice as long as that;
            1 leaves time out of account.
        disagreement_margin: the share of rows that it may answer otherwise; 1 allows all.
        quality_margin: how much larger its mean loss may be by audits: the share of rows that it
            answers wrong, or its mean absolute error over ten times that of the champion's card; 1
            leaves truths out of account.
        min_truths: audits of rows that both versions answered that must be known before each step;
            with 0 none need be, and those that there are count all the same.
        tolerance: how far, relatively, numbers may lie apart before they disagree.
        shadow_batches: batches that the candidate must have answered in the shadow; 0 skips that
            stage.
        shadow_share: the share of the time in which a worker computes nothing that the shadow may
            take, and second answers with it.
        min_requests: requests that the candidate must have answered at each step; those of one
            routing key count once.
        step_s: seconds that each step takes at least.
        deadline_s: seconds after which a step counts as undecided.
        bake_s: seconds for which the champion stays loaded after it was replaced.
        on_timeout: what happens then.
    """

    percents: tuple[float, ...] = (1, 5, 25, 50)
    alpha: float = 0.01
    error_margin: float = 0.005
    latency_margin: float = 0.25
    slow_margin: float = 0.1
    disagreement_margin: float = 0.1
    quality_margin: float = 0.02
    min_truths: int = 0
    tolerance: float = 0.1
    shadow_batches: int = 200
    shadow_share: float = 0.02
    min_requests: int = 100
    step_s: float = 600.0
    deadline_s: float = 86_400.0
    bake_s: float = 3_600.0
    on_timeout: OnTimeout = OnTimeout.HOLD


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout that is under way.

    Attributes:
        id: names it among all rollouts; the split of requests depends on it.
        champion: the version that served before.
        candidate: the version on trial; ``None`` while it waits for one.
        stage: how far it has come.
        percent: the share of requests that the candidate answers.
        rules: its rules.
    """

    id: str
    champion: int
    candidate: int | None = None
    stage: Stage = Stage.WAITING
    percent: float = 0.0
    rules: RolloutRules = field(default_factory=RolloutRules)

    @property
    def leading(self) -> int:
        """The version that answers what the split does not give to the other."""
        if self.stage is Stage.BAKING and self.candidate is not None:
            return self.candidate
        return self.champion

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that must be loaded."""
        return (self.champion, *(() if self.candidate is None else (self.candidate,)))

    def begun(self, candidate: int) -> "Rollout":
        """Return it at its first stage with a candidate."""
        first = replace(self, candidate=candidate, stage=Stage.SHADOW, percent=0.0)
        return first if self.rules.shadow_batches else first.advanced()

    def advanced(self) -> "Rollout":
        """Return it one step further: the next share, or baking after the last."""
        if self.stage is Stage.CANARY:
            left = [percent for percent in self.rules.percents if percent > self.percent]
        else:
            left = list(self.rules.percents)
        if not left:
            return replace(self, stage=Stage.BAKING, percent=100.0)
        return replace(self, stage=Stage.CANARY, percent=left[0])

    def rules_to_json(self) -> dict[str, Any]:
        """Return all its rules as a JSON object."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self.rules).items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as the JSON object in its policy; rules that are the default are left out."""
        default = replace(self, rules=RolloutRules()).rules_to_json()
        rules = {n: value for n, value in self.rules_to_json().items() if value != default[n]}
        return {
            "id": self.id,
            "champion": self.champion,
            "candidate": self.candidate,
            "stage": str(self.stage),
            "percent": self.percent,
            "rules": rules,
        }


def chosen_with(
    rollout: Rollout, available: Iterable[int], named: Collection[int], latest: int
) -> list[int]:
    """Return the versions that should be loaded while a rollout is under way, lowest first.

    Args:
        rollout: the rollout.
        available: the versions that there are.
        named: versions that serve besides.
        latest: where none are named, how many of the highest versions up to the champion do.
    """
    here = set(available)
    besides = served_besides(rollout, here, named, latest)
    chosen = sorted({*besides, *rollout.versions} & here)
    if rollout.leading in chosen:
        return chosen
    # Without the version that leads nothing is split, and the highest one answers all requests: an
    # untried candidate only if there is nothing else.
    return [version for version in chosen if version != rollout.candidate] or chosen


def served_besides(
    rollout: Rollout, available: Iterable[int], named: Collection[int], latest: int
) -> set[int]:
    """Return the versions that serve whatever becomes of a rollout, as they did before it.

    The champion is one of them, unless others are named. For the arguments see ``chosen_with``.
    """
    if named:
        return set(named)
    return set([each for each in sorted(available) if each <= rollout.champion][-latest:])


# Least and most of the percents of a stage; 0 to 100 in the others.
_SHARES = {Stage.WAITING: (0.0, 0.0), Stage.SHADOW: (0.0, 0.0), Stage.BAKING: (100.0, 100.0)}


def rollout_from_json(value: Any, where: str) -> Rollout:
    """Read a rollout from the JSON of its policy.

    Args:
        value: the JSON value.
        where: the policy, for messages.

    Raises:
        RepositoryError: the value is not a rollout; the message names the place.
    """
    place = f"{where}: {ROLLOUT}"
    if not isinstance(value, dict):
        raise RepositoryError(f"{place} must be an object, not {shown(value)}.")
    known = {"id", "champion", "candidate", "stage", "percent", "rules"}
    if unknown := value.keys() - known:
        raise RepositoryError(f"{place}: unknown key {min(unknown)!r}.")
    name, champion, candidate = (value.get(key) for key in ("id", "champion", "candidate"))
    if not isinstance(name, str) or not 0 < len(name) <= 64 or not name.isprintable():
        raise RepositoryError(f"{place}.id must be a short text, not {shown(name)}.")
    if not isinstance(champion, int) or not _is_version(champion):
        raise RepositoryError(f"{place}.champion must be a version, not {shown(champion)}.")
    if not (candidate is None or _is_version(candidate)) or candidate == champion:
        raise RepositoryError(
            f"{place}.candidate must be another version than the champion, not {shown(candidate)}."
        )
    stage, percent = value.get("stage", Stage.WAITING), value.get("percent", 0)
    if stage not in list(Stage) or (candidate is None) != (stage == Stage.WAITING):
        raise RepositoryError(
            f"{place}.stage must be one of {', '.join(Stage)} ({Stage.WAITING} exactly without a "
            f"candidate), not {shown(stage)}."
        )
    # Descriptions of a stage assume a share that belongs to it.
    least, most = _SHARES.get(stage, (0.0, 100.0))
    if not _is_number(percent) or not least <= percent <= most:
        to = f"from {least:g} to {most:g}" if least < most else f"{most:g}"
        raise RepositoryError(
            f"{place}.percent must be {to} while the stage is {stage}, not {shown(percent)}."
        )
    rules = rules_from_json(value.get("rules", {}), f"{place}.rules")
    return Rollout(name, champion, candidate, Stage(stage), float(percent), rules)


def rules_from_json(value: Any, where: str) -> RolloutRules:
    """Read the rules of a rollout; those that are not named have their defaults.

    Raises:
        RepositoryError: the value does not hold rules; the message names the place.
    """
    if not isinstance(value, dict):
        raise RepositoryError(f"{where} must be an object, not {shown(value)}.")
    if unknown := value.keys() - {each.name for each in fields(RolloutRules)}:
        raise RepositoryError(f"{where}: unknown key {min(unknown)!r}.")
    given: dict[str, Any] = {}
    for name, setting in value.items():
        if name == "percents":
            given[name] = _percents(setting, where)
        elif name == "on_timeout":
            if setting not in list(OnTimeout):
                raise RepositoryError(
                    f"{where}.{name} must be one of {', '.join(OnTimeout)}, not {shown(setting)}."
                )
            given[name] = OnTimeout(setting)
        else:
            given[name] = _bounded(name, setting, where)
    return RolloutRules(**given)


# Least and most of the rules that are numbers; least is excluded where 0 means nothing.
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "alpha": (1e-9, 0.5),
    "error_margin": (1e-6, 1),
    "latency_margin": (0, 100),
    "slow_margin": (1e-6, 1),
    "disagreement_margin": (1e-6, 1),
    "quality_margin": (1e-6, 1),
    "min_truths": (0, 10**9),
    "tolerance": (0, 1),
    "shadow_batches": (0, 10**9),
    "shadow_share": (1e-6, 1),
    "min_requests": (1, 10**9),
    "step_s": (0, 10**9),
    "deadline_s": (0, 10**9),
    "bake_s": (0, 10**9),
}
_WHOLE = {"min_truths", "shadow_batches", "min_requests"}


def _bounded(name: str, value: Any, where: str) -> float | int:
    least, most = _BOUNDS[name]
    is_right = _is_number(value) and (name not in _WHOLE or isinstance(value, int))
    if not is_right or not least <= value <= most:
        kind = "a whole number" if name in _WHOLE else "a number"
        raise RepositoryError(
            f"{where}.{name} must be {kind} from {least:g} to {most:g}, not {shown(value)}."
        )
    number: float | int = value
    return number


def _percents(value: Any, where: str) -> tuple[float, ...]:
    # Without one the candidate would answer all requests before it has answered any.
    if (
        not isinstance(value, list)
        or not value
        or not all(_is_number(each) and 0 < each < 100 for each in value)
        or sorted(set(value)) != value
    ):
        raise RepositoryError(
            f"{where}.percents must be one or more rising numbers above 0 and below 100, "
            f"not {shown(value)}."
        )
    return tuple(value)


def _is_number(value: Any) -> bool:
    return is_one_of(value, (int, float))


def _is_version(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
