"""Which versions of a model should serve, and by which labels requests may ask for them."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from service.repository.contract import ServedContract
from service.repository.errors import RepositoryError
from service.repository.event_rates import UNSURE_KINDS, EventRates, event_rates_from_json
from service.repository.json_files import read_optional, shown, write_object
from service.repository.rollout_policy import (
    ROLLOUT,
    Rollout,
    RolloutRules,
    chosen_with,
    rollout_from_json,
    served_besides,
)

POLICY = "policy.json"
# It is read at every look at a model.
MOST_POLICY_BYTES = 2**20

# TensorFlow Serving's pattern of a label in a request's path.
_LABEL = re.compile(r"[a-zA-Z0-9_]+")
# TensorFlow's pattern of an operation's name, with the namespaces of custom ones.
_OPERATION = re.compile(r"[A-Z][A-Za-z0-9]*(>[A-Z][A-Za-z0-9]*)*")


@dataclass(frozen=True, slots=True)
class Policy:
    """A version policy, TensorFlow Serving's ``latest`` or ``specific``.

    Attributes:
        latest: how many of the highest versions serve, when ``versions`` is empty.
        versions: the versions that serve, whatever else is there.
        labels: names for versions; a label of a version that does not serve has no effect.
        keep: how many versions stay on disk when a new one is published; ``None`` keeps all.
        unloaded: whether no version serves, until this is taken back; the rest says what will.
        rows_independent: whether each row's answer depends on that row alone, for all signatures
            or by their names; ``None`` leaves it to the version's card and graph.
        allow_operations: operations that its graphs may use though they touch files, other
            machines or the process, by TensorFlow's names.
        rollout: the rollout that is under way, if one is; it decides what serves until it ends.
        events: which of its predictions are stored, where the service stores any; ``None`` leaves
            it to the service's settings.
    """

    latest: int = 1
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    keep: int | None = None
    unloaded: bool = False
    rows_independent: bool | Mapping[str, bool] | None = None
    allow_operations: tuple[str, ...] = ()
    rollout: Rollout | None = None
    events: EventRates | None = None

    @property
    def pinned(self) -> bool:
        """Whether versions are named, so that a new one does not take over by itself."""
        return bool(self.versions)

    def in_use(self, available: Iterable[int]) -> set[int]:
        """Return the versions that must not be removed: those that serve or have a label.

        Of a model that is unloaded, those that will serve when it is loaded again.
        """
        return {*self._chosen(available), *self.versions, *self.labels.values()}

    def select(self, available: Iterable[int]) -> list[int]:
        """Return the versions of ``available`` that should serve, lowest first."""
        return [] if self.unloaded else self._chosen(available)

    def _chosen(self, available: Iterable[int]) -> list[int]:
        ordered = sorted(available)
        if self.rollout is not None:
            return chosen_with(self.rollout, ordered, self.versions, self.latest)
        if self.versions:
            return [version for version in ordered if version in self.versions]
        return ordered[-self.latest :]

    @property
    def selection_in_words(self) -> str:
        """Which versions serve, as a sentence for those that do not."""
        if self.unloaded:
            return "The policy keeps the model unloaded."
        if self.rollout is not None:
            numbers = ", ".join(map(str, sorted(self.rollout.versions)))
            return f"A rollout is under way, with these versions: {numbers}."
        if self.versions:
            numbers = ", ".join(map(str, sorted(set(self.versions))))
            return f"The policy asks for other versions: {numbers}."
        newest = "version" if self.latest == 1 else f"{self.latest} versions"
        return f"The policy asks for only the newest {newest}."

    def problem_with(self, contracts: Sequence[ServedContract]) -> str:
        """Return a sentence about what has no effect on versions with these contracts, or nothing.

        Args:
            contracts: of the versions that serve, at least one.
        """
        declared = self.rows_independent
        known = {name for contract in contracts for name in (*contract, *contract.left_out)}
        unknown = sorted(set(declared) - known) if isinstance(declared, Mapping) else []
        if unknown:
            return (
                f"{POLICY}: rows_independent names the signature {shown(unknown[0])}, which no "
                f"version that serves has; there are: {', '.join(sorted(known))}."
            )
        unsure = self.events and self.events.unsure
        outputs = {
            output.name
            for contract in contracts
            for signature in contract.values()
            for output in signature.outputs
            if np.dtype(output.numpy_type).kind in UNSURE_KINDS
        }
        if unsure and unsure.output not in outputs:
            return (
                f"{POLICY}: events.unsure.output is {shown(unsure.output)}, but no version that "
                f"serves has such an output of numbers; there are: "
                f"{', '.join(sorted(outputs)) or 'none'}."
            )
        return ""

    def to_json(self) -> dict[str, Any]:
        """Return the policy as the JSON object of its file."""
        serve = {"versions": list(self.versions)} if self.versions else {"latest": self.latest}
        keep = {} if self.keep is None else {"keep": self.keep}
        unloaded = {"unloaded": True} if self.unloaded else {}
        declared = self.rows_independent
        rows: dict[str, Any] = {}
        if declared is not None:
            rows["rows_independent"] = declared if isinstance(declared, bool) else dict(declared)
        value: dict[str, Any] = {"serve": serve, "labels": dict(self.labels), **keep, **unloaded}
        value |= rows
        if self.allow_operations:
            value["allow_operations"] = list(self.allow_operations)
        if self.rollout is not None:
            value[ROLLOUT] = self.rollout.to_json()
        if self.events is not None:
            value["events"] = self.events.to_json()
        return value

    @property
    def etag(self) -> str:
        """What the policy says, as a short text: the same exactly for policies that are equal."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:32]


_KEYS = {
    "serve",
    "labels",
    "keep",
    "unloaded",
    "rows_independent",
    "allow_operations",
    "events",
    ROLLOUT,
}


def is_label(text: str) -> bool:
    """Whether a request's path can name such a label."""
    return _LABEL.fullmatch(text) is not None


def policy_from_json(value: Any) -> Policy:
    """Read a policy from the JSON of its file.

    Raises:
        RepositoryError: the value is not a policy; the message names the place.
    """
    if not isinstance(value, dict):
        raise RepositoryError(f"{POLICY} must hold a JSON object, not {shown(value)}.")
    unknown = value.keys() - _KEYS
    if unknown:
        raise RepositoryError(f"{POLICY}: unknown key {min(unknown)!r}.")
    labels = value.get("labels", {})
    if not isinstance(labels, dict) or not all(
        is_label(label) and _is_whole(version) for label, version in labels.items()
    ):
        raise RepositoryError(
            f"{POLICY}: labels must map names of letters, digits and _ to versions, "
            f"not {shown(labels)}."
        )
    keep = value.get("keep")
    if keep is not None and not (_is_whole(keep) and keep > 0):
        raise RepositoryError(f"{POLICY}: keep must be a whole number above 0, not {shown(keep)}.")
    unloaded = value.get("unloaded", False)
    if not isinstance(unloaded, bool):
        raise RepositoryError(f"{POLICY}: unloaded must be true or false, not {shown(unloaded)}.")
    # As with the others that are optional, ``null`` takes back what was said.
    rows, events = value.get("rows_independent"), value.get("events")
    if not _is_declaration(rows):
        raise RepositoryError(
            f"{POLICY}: rows_independent must be true, false or an object of signatures with true "
            f"or false each, not {shown(rows)}."
        )
    policy = Policy(
        labels=labels,
        keep=keep,
        unloaded=unloaded,
        rows_independent=rows,
        allow_operations=_operations(value),
        rollout=rollout_from_json(value[ROLLOUT], POLICY) if value.get(ROLLOUT) else None,
        events=event_rates_from_json(POLICY, events) if events is not None else None,
    )
    match value.get("serve", {"latest": 1}):
        case {"latest": count, **rest} if not rest and _is_whole(count) and count > 0:
            return replace(policy, latest=count)
        case {"versions": [*versions], **rest} if (
            not rest and versions and all(map(_is_whole, versions))
        ):
            return replace(policy, versions=tuple(versions))
        case serve:
            raise RepositoryError(
                f'{POLICY}: serve must be {{"latest": N}} or {{"versions": [N, ...]}}, '
                f"not {shown(serve)}."
            )


def read_policy(model_directory: Path) -> Policy:
    """Read a model's policy; without a file it is the latest version alone.

    Raises:
        RepositoryError: the file is not a policy; the message names the place.
    """
    value = read_optional(model_directory / POLICY, most_bytes=MOST_POLICY_BYTES)
    return Policy() if value is None else policy_from_json(value)


def write_policy(model_directory: Path, policy: Policy) -> None:
    """Write a model's policy, which every worker reads at its next poll.

    Concurrent changes are lost: to change a policy by what it holds, call ``change_policy``.

    Raises:
        OSError: the folder cannot be written.
    """
    write_object(model_directory / POLICY, policy.to_json())


def with_changes(policy: Policy, value: Any) -> Policy:
    """Return ``policy`` with what the JSON object ``value`` names; the rest stays as it is.

    Who says what serves ends a rollout that is under way. Who unloads the model does not: when it
    is loaded again, the candidate is still on trial.

    Raises:
        RepositoryError: that is not a policy; the message names the place.
    """
    if not isinstance(value, dict):
        return policy_from_json(value)
    before = policy.to_json()
    if "serve" in value:
        before.pop(ROLLOUT, None)
    return policy_from_json({**before, **value})


def rolled_back(
    policy: Policy,
    available: Iterable[int],
    *,
    serving: Iterable[int] = (),
    refused: Iterable[int] = (),
) -> Policy:
    """Return the policy that serves the version before the one that serves now.

    That is the version before the one that really serves; or before the one that the policy asks
    for, where that is lower: a change that no service has followed yet. It is named, so that the
    next one that is published does not take over by itself, and so are lower versions that the
    policy asks for: requests ask for them, or for their labels. While a version is on trial it is
    the rollout's champion, as ``rollout_undone`` says.

    Args:
        policy: the policy in force.
        available: the versions that there are.
        serving: those that really serve; empty where no service says.
        refused: those of ``available`` that the service has refused: they do not serve, and there
            is no going back to them.

    Raises:
        RepositoryError: there is no earlier version.
    """
    waiting, here = None, set(available)
    if policy.rollout is not None:
        undone = rollout_undone(policy, here)
        if policy.rollout.candidate is not None:
            return undone
        # No other version answers anybody yet: the champion is what to go back from.
        policy = waiting = undone
    fit = sorted(here - set(refused))
    really, asked = set(serving), policy.select(fit)
    # If all that it names was refused, nothing may serve; the way back is from there.
    highest = [max(found) for found in (really, asked or policy.versions) if found]
    now = None if policy.unloaded or not highest else min(highest)
    earlier = [version for version in fit if now is not None and version < now]
    if not earlier:
        if waiting is not None:
            return waiting
        serves = now is not None and (really or asked)
        story = f"version {now} serves" if serves else "nothing serves"
        raise RepositoryError(f"There is no earlier version to go back to; {story}.")
    back = earlier[-1]
    lower = {version for version in asked if version < back}
    return replace(policy, versions=tuple(sorted({*lower, back})))


def champion_of_trial(
    policy: Policy,
    available: Iterable[int],
    *,
    serving: Iterable[int] = (),
    refused: Iterable[int] = (),
) -> int | None:
    """Return the version that another is tried against now; ``None`` if none serves.

    That is the highest that really serves, of those that the policy asks for. Where the policy
    names versions and no service has followed it yet, as in the seconds after a rollback, it is the
    highest of those: what they replace must not come back as a champion.

    Args:
        policy: the policy in force.
        available: the versions that there are.
        serving: those that really serve; empty where no service says.
        refused: those of ``available`` that the service has refused.
    """
    here = set(available)
    really, asked = here & set(serving), set(policy.select(here - set(refused)))
    if policy.rollout is not None and policy.rollout.leading in (really or asked):
        return policy.rollout.leading
    if policy.pinned and asked:
        return max(really & asked or asked)
    return max(really & asked or really or asked, default=None)


def begin_rollout(
    policy: Policy, champion: int, candidate: int | None, rules: RolloutRules
) -> Policy:
    """Return the policy that puts a version on trial against the one that serves.

    Args:
        policy: the policy in force.
        champion: the version that serves.
        candidate: the version on trial; ``None`` if it is yet to be published, and must not serve
            before it is named.
        rules: the rollout's rules.

    Raises:
        RepositoryError: another rollout is under way, the model is unloaded, or the versions are
            one.
    """
    if policy.rollout is not None and policy.rollout.candidate is not None:
        raise RepositoryError(
            f"A rollout of version {policy.rollout.candidate} is under way; it must end before "
            "another begins."
        )
    if policy.unloaded:
        raise RepositoryError("The model is unloaded, so no version can be on trial.")
    if candidate == champion:
        raise RepositoryError(f"Version {champion} serves already; there is nothing to try out.")
    rollout = Rollout(secrets.token_hex(8), champion, rules=rules)
    return replace(policy, rollout=rollout if candidate is None else rollout.begun(candidate))


def rollout_undone(policy: Policy, available: Iterable[int]) -> Policy:
    """Return the policy that ends a rollout with its champion, which is named then.

    Lower versions that served before are named too: requests ask for them, or for their labels.

    Args:
        policy: the policy in force.
        available: the versions that there are.
    """
    assert policy.rollout is not None
    return _ended_with(policy, policy.rollout.champion, available)


def rollout_completed(policy: Policy, available: Iterable[int]) -> Policy:
    """Return the policy that ends a rollout with its candidate.

    Where the policy follows the latest version and the candidate is that, it goes on doing so;
    else the candidate takes the champion's place among the versions that serve, as far as they are
    lower: a higher one would answer instead of it.
    """
    rollout, here = policy.rollout, set(available)
    assert rollout is not None
    assert rollout.candidate is not None
    if not policy.versions and max(here, default=0) <= rollout.candidate:
        return replace(policy, rollout=None)
    return _ended_with(policy, rollout.candidate, here, gone={rollout.champion})


def _ended_with(
    policy: Policy, version: int, available: Iterable[int], gone: Set[int] = frozenset()
) -> Policy:
    """Return the policy that ends a rollout, with a version that answers all requests."""
    assert policy.rollout is not None
    before = served_besides(policy.rollout, available, policy.versions, policy.latest)
    lower = {each for each in before - gone if each < version}
    return replace(policy, rollout=None, versions=tuple(sorted({*lower, version})))


def _is_declaration(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(isinstance(each, bool) for each in value.values())
    return isinstance(value, bool | None)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _operations(value: Mapping[str, Any]) -> tuple[str, ...]:
    names = value.get("allow_operations", [])
    if not isinstance(names, list) or not all(
        isinstance(name, str) and _OPERATION.fullmatch(name) for name in names
    ):
        raise RepositoryError(
            f"{POLICY}: allow_operations must be a list of the names of TensorFlow's operations, "
            f'such as ["ReadFile"], not {shown(names)}.'
        )
    return tuple(sorted(set(names)))
