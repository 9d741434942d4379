"""What the workers of one service agree on: what serves, from when on, and what cannot serve.

Workers share a folder and nothing else (``worker_members``). A worker that others do not wait for
follows what was decided without it when it comes back.
"""

import contextlib
import json
import os
import time
from collections.abc import Container, Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from service.runtime.load_lock import LoadLock
from service.runtime.traffic_split import TrafficSplit, split_from_json
from service.runtime.worker_members import SILENT_S, WorkerMembers

# From a decision to the moment at which all workers act on it: long enough for each to read it,
# even while its interpreter is busy.
_NOTICE_S = 0.06

_NONE: Set[int] = frozenset()
_MODEL = "model-"


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """What should answer for a model: versions, lowest first, and labels for some of them.

    While a rollout is under way it also says how requests are split, so that all workers take
    each step at one moment.
    """

    versions: tuple[int, ...]
    labels: Mapping[str, int] = field(default_factory=dict)
    split: TrafficSplit | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan that all workers follow.

    Attributes:
        number: counts a model's decisions, from 1.
        plan: what they decided.
        at: when they act on it, on the system-wide monotonic clock, in seconds.
    """

    number: int
    plan: ServingPlan
    at: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a version was refused, and how its files looked then."""

    digest: str
    reason: str


class Agreement:
    """What the workers had agreed on for one model when it was read.

    Attributes:
        decision: what was decided last.
        proposal: the plan that they prepare; one at a time.
        refusals: the versions that some worker has refused.
    """

    def __init__(self, record: Mapping[str, Any], members: WorkerMembers) -> None:
        """The agreement that a model's ``record`` holds."""
        proposal = record.get("proposal")
        self.decision = _decision(record)
        self.proposal = None if proposal is None else _plan(proposal)
        self.refusals = {
            int(version): Refusal(**refusal)
            for version, refusal in record.get("refusals", {}).items()
        }
        self._held: Mapping[str, Mapping[str, str]] = record.get("held", {})
        self._members = members

    def contents(self) -> dict[int, str]:
        """Return what the living workers hold under each number that answers, or still drains."""
        found: dict[int, str] = {}
        for held in _of_living(self._held, self._members.living()).values():
            found |= {int(version): content for version, content in held.items()}
        return found


class WorkerGroup:
    """The workers of one service, as one of them sees them. One object a worker.

    Attributes:
        load_lock: which worker may load which version.
    """

    def __init__(self, folder: Path | None, *, silent_s: float = SILENT_S) -> None:
        """The group of ``folder``; without one, the worker is alone.

        Nothing is read or written before ``join``.

        Args:
            folder: the folder; it is made when it is not there.
            silent_s: seconds after which a worker that does not show itself is not waited for.
        """
        self._members = WorkerMembers(folder, silent_s=silent_s)
        self.load_lock = LoadLock(self._members)

    def join(self) -> None:
        """Become a member: from now on nothing is decided without this worker."""
        self._members.join()

    @property
    def is_silent(self) -> bool:
        """Whether the others may have decided without this worker, by when it showed itself."""
        return self._members.is_silent

    def beat(self) -> bool:
        """Show that this worker takes part; to be called every second or so.

        Returns:
            Whether it shows itself in time: the others have decided nothing without it.
        """
        return self._members.beat()

    def leave(self) -> None:
        """Stop being a member; the others decide without this worker."""
        self._members.leave()

    @property
    def joined(self) -> int:
        """How often this worker has joined: more than once when the shared folder had vanished.

        What was decided and claimed before must then be restored.
        """
        return self._members.joined

    @property
    def folder(self) -> Path:
        """The shared folder, for what else the workers of one service remember together."""
        return self._members.folder

    def served(self, *, without: Container[str] = ()) -> dict[str, bool]:
        """Return the models of which some version should answer, by the last decision on each.

        Args:
            without: models that are left out.

        Returns:
            For each such model, whether a living worker holds a version of it.
        """
        found = {}
        for name in sorted(os.listdir(self.folder)):
            model = name.removeprefix(_MODEL).removesuffix(".json")
            if name != _file(model) or model in without:
                continue
            agreement = self.agreement(model)
            if agreement.decision and agreement.decision.plan.versions:
                found[model] = bool(agreement.contents())
        return found

    def decision(self, model: str) -> Decision | None:
        """Return what was decided last for a model."""
        return _decision(self._read(model))

    def agreement(self, model: str) -> Agreement:
        """Return what the workers have agreed on for a model, read at one moment."""
        return Agreement(self._read(model), self._members)

    def refusals(self, model: str) -> dict[int, Refusal]:
        """Return the versions that some worker has refused."""
        return self.agreement(model).refusals

    def refuse(self, model: str, version: int, refusal: Refusal) -> None:
        """Record for all workers that a version, with its present files, cannot serve."""
        with self._changed(model) as record:
            record.setdefault("refusals", {})[str(version)] = asdict(refusal)

    def proposal(self, model: str) -> ServingPlan | None:
        """Return the plan that the workers are preparing; one at a time for each model."""
        return self.agreement(model).proposal

    def propose(self, model: str, plan: ServingPlan, *, followed: int) -> ServingPlan | None:
        """Ask all workers to prepare ``plan``, and return what they do prepare.

        That is another plan when another worker was first: workers that each ran after the
        latest plan of their own would not meet.

        Args:
            model: the model's name.
            plan: what this worker wants.
            followed: the number of the last decision that this worker has followed.

        Returns:
            The plan to prepare; ``None`` when there is a decision to follow first.
        """
        with self._changed(model) as record:
            if record.get("decision", {}).get("number", 0) != followed:
                return None
            if record.get("proposal") is None:
                record["proposal"], record["votes"] = _plan_to_json(plan), {}
            return _plan(record["proposal"])

    def vote(self, model: str, plan: ServingPlan, contents: Mapping[int, str]) -> Decision | None:
        """Say that this worker has all that the proposed ``plan`` needs; decide it if all have.

        To be called again and again while nothing is decided: members come and go.

        Args:
            model: the model's name.
            plan: the proposed plan.
            contents: what this worker holds under each of the plan's numbers. Nothing is decided
                while workers hold different contents under one number.

        Returns:
            The decision to follow ``plan`` if this vote was the last that was missing.
        """
        with self._changed(model) as record:
            if record.get("proposal") != _plan_to_json(plan):
                return None
            record["votes"][self._members.name] = _contents_to_json(contents)
            living = self._members.attentive()
            votes = [record["votes"].get(name) for name in living]
            if any(vote != votes[0] for vote in votes) or self._members.is_regrouping():
                return None
            number = record.get("decision", {}).get("number", 0) + 1
            at = time.monotonic() + (_NOTICE_S if len(living) > 1 else 0.0)
            record["decision"] = {"number": number, "plan": _plan_to_json(plan), "at": at}
            record["proposal"], record["votes"] = None, {}
            return _decision(record)

    def withdraw(self, model: str, plan: ServingPlan) -> None:
        """Give the proposed ``plan`` up, because some worker cannot prepare it."""
        with self._changed(model) as record:
            if record.get("proposal") == _plan_to_json(plan):
                record["proposal"], record["votes"] = None, {}

    def contents(self, model: str) -> dict[int, str]:
        """Return what the living workers hold under each number that answers, or still drains."""
        return self.agreement(model).contents()

    def claim(self, model: str, contents: Mapping[int, str], *, new: Set[int] = _NONE) -> set[int]:
        """Say what this worker will answer with under each number, unless others differ.

        Args:
            model: the model's name.
            contents: what stands for the content of each version that it holds.
            new: those of them that it has not answered with yet.

        Returns:
            The ``new`` numbers under which another living worker holds another content; when
            there are any, nothing was claimed.
        """
        with self._changed(model) as record:
            held = _of_living(record.get("held", {}), self._members.living())
            held.pop(self._members.name, None)
            mine = _contents_to_json(contents)
            taken = {
                int(version)
                for other in held.values()
                for version in other.keys() & {str(each) for each in new}
                if other[version] != mine[version]
            }
            if not taken:
                held[self._members.name] = mine
            record["held"] = held
            return taken

    def restore(self, model: str, decision: Decision) -> None:
        """Put a decision back that was lost with the folder, unless there is one as high."""
        with self._changed(model) as record:
            if record.get("decision", {}).get("number", 0) < decision.number:
                record["decision"] = {
                    "number": decision.number,
                    "plan": _plan_to_json(decision.plan),
                    "at": decision.at,
                }
                record["proposal"], record["votes"] = None, {}

    def _read(self, model: str) -> dict[str, Any]:
        record: dict[str, Any] = self._members.read(_file(model), {})
        return record

    @contextlib.contextmanager
    def _changed(self, model: str) -> Iterator[dict[str, Any]]:
        """Change a model's record as one step that no other worker can come between."""
        with self._members.locked():
            record = self._read(model)
            before = json.dumps(record)
            yield record
            if json.dumps(record) != before:
                self._members.write(_file(model), record)


def _file(model: str) -> str:
    return f"{_MODEL}{model}.json"


def _plan_to_json(plan: ServingPlan) -> dict[str, Any]:
    split = {"split": plan.split.to_json()} if plan.split else {}
    return {"versions": list(plan.versions), "labels": dict(plan.labels), **split}


def _plan(value: Mapping[str, Any]) -> ServingPlan:
    split = value.get("split")
    return ServingPlan(
        tuple(value["versions"]), value["labels"], split_from_json(split) if split else None
    )


def _of_living(
    held: Mapping[str, Mapping[str, str]], living: list[str]
) -> dict[str, Mapping[str, str]]:
    """Return what the living workers hold, of what all workers have claimed."""
    return {worker: contents for worker, contents in held.items() if worker in living}


def _contents_to_json(contents: Mapping[int, str]) -> dict[str, str]:
    return {str(version): content for version, content in sorted(contents.items())}


def _decision(record: Mapping[str, Any]) -> Decision | None:
    if "decision" not in record:
        return None
    value = record["decision"]
    return Decision(value["number"], _plan(value["plan"]), value["at"])
