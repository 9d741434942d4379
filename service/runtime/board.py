"""What the workers of one service agree on: who is there, whose turn it is, what serves.

Workers share a folder and nothing else. A lock on a file tells that its owner lives, since the
kernel drops it however the owner ends; so a worker that was killed is never waited for.
"""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

# From a decision to the moment at which all workers act on it: long enough for each to read it,
# even while its interpreter is busy.
_NOTICE_S = 0.06


@dataclass(frozen=True, slots=True)
class Plan:
    """What should answer for a model: versions, lowest first, and labels for some of them."""

    versions: tuple[int, ...]
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan that all workers follow.

    Attributes:
        number: counts a model's decisions, from 1.
        plan: what they decided.
        at: when they act on it, on the system-wide monotonic clock, in seconds.
    """

    number: int
    plan: Plan
    at: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a version was refused, and how its files looked then."""

    digest: str
    reason: str


class Board:
    """The folder that the workers of one service share. One object a worker."""

    def __init__(self, folder: Path | None) -> None:
        """Prepare to share ``folder``; without one, the worker is alone.

        Nothing is read or written before ``join``.
        """
        self._folder = folder
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._name = ""
        self._presence = -1

    def join(self) -> None:
        """Become a member: from now on nothing is decided without this worker."""
        if self._folder is None:
            self._own = tempfile.TemporaryDirectory(prefix="understudy-board-")
            self._folder = Path(self._own.name)
        self._members.mkdir(parents=True, exist_ok=True)
        self._name = f"{os.getpid()}-{uuid4().hex[:8]}"
        with self._locked():
            self._presence = os.open(self._members / self._name, os.O_CREAT | os.O_RDWR)
            fcntl.flock(self._presence, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Stop being a member; the others decide without this worker."""
        if self._presence >= 0:
            os.close(self._presence)
            self._presence = -1
        if self._own is not None:
            self._own.cleanup()
            self._own = self._folder = None

    @property
    def folder(self) -> Path:
        """The folder itself, for what else the workers of one service remember together."""
        return self._shared

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn to load: one worker at a time, so that the others are unhurried."""
        with self._lock_file("turn"):
            yield

    def decision(self, model: str) -> Decision | None:
        """Return what was decided last for a model."""
        return _decision(self._read(model))

    def refusals(self, model: str) -> dict[int, Refusal]:
        """Return the versions that some worker has refused."""
        refusals = self._read(model).get("refusals", {})
        return {int(version): Refusal(**refusal) for version, refusal in refusals.items()}

    def refuse(self, model: str, version: int, refusal: Refusal) -> None:
        """Tell all workers that a version, as its files look now, cannot serve."""
        with self._changed(model) as record:
            record.setdefault("refusals", {})[str(version)] = asdict(refusal)

    def proposal(self, model: str) -> Plan | None:
        """Return the plan that the workers are preparing; one at a time for each model."""
        value = self._read(model).get("proposal")
        return None if value is None else _plan(value)

    def propose(self, model: str, plan: Plan, *, followed: int) -> Plan | None:
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
                record["proposal"], record["votes"] = _wish(plan), []
            return _plan(record["proposal"])

    def vote(self, model: str, plan: Plan) -> Decision | None:
        """Say that this worker has all that the proposed ``plan`` needs; decide it if all have.

        To be called again and again while nothing is decided: members come and go.

        Returns:
            The decision to follow ``plan`` if this vote was the last that was missing.
        """
        with self._changed(model) as record:
            if record.get("proposal") != _wish(plan):
                return None
            record["votes"] = sorted({*record["votes"], self._name})
            living = self._living()
            if not set(living) <= set(record["votes"]):
                return None
            number = record.get("decision", {}).get("number", 0) + 1
            at = time.monotonic() + (_NOTICE_S if len(living) > 1 else 0.0)
            record["decision"] = {"number": number, "plan": _wish(plan), "at": at}
            record["proposal"], record["votes"] = None, []
            return _decision(record)

    def withdraw(self, model: str, plan: Plan) -> None:
        """Give the proposed ``plan`` up, because some worker cannot prepare it."""
        with self._changed(model) as record:
            if record.get("proposal") == _wish(plan):
                record["proposal"], record["votes"] = None, []

    @property
    def _shared(self) -> Path:
        if self._folder is None:
            raise RuntimeError("A board must be joined before it is used.")
        return self._folder

    @property
    def _members(self) -> Path:
        return self._shared / "members"

    def _living(self) -> list[str]:
        """Return the members whose locks are held, and forget the others; under the lock."""
        living = []
        for path in sorted(self._members.iterdir()):
            if path.name == self._name:
                living.append(path.name)
                continue
            handle = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                living.append(path.name)
            finally:
                os.close(handle)
        return living

    def _path(self, model: str) -> Path:
        return self._shared / f"model-{model}.json"

    def _read(self, model: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self._path(model).read_bytes())
        except FileNotFoundError:
            return {}
        return record

    @contextlib.contextmanager
    def _changed(self, model: str) -> Iterator[dict[str, Any]]:
        """Change a model's record as one step that no other worker can come between."""
        with self._locked():
            record = self._read(model)
            yield record
            draft = self._shared / f".model-{model}.json"
            draft.write_text(json.dumps(record))
            draft.replace(self._path(model))

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return self._lock_file("lock")

    @contextlib.contextmanager
    def _lock_file(self, name: str) -> Iterator[None]:
        handle = os.open(self._shared / name, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _wish(plan: Plan) -> dict[str, Any]:
    return {"versions": list(plan.versions), "labels": dict(plan.labels)}


def _plan(wish: Mapping[str, Any]) -> Plan:
    return Plan(tuple(wish["versions"]), wish["labels"])


def _decision(record: Mapping[str, Any]) -> Decision | None:
    if "decision" not in record:
        return None
    value = record["decision"]
    return Decision(value["number"], _plan(value["plan"]), value["at"])
