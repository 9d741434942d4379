"""What the workers of one service agree on: who is there, who may load, what serves.

Workers share a folder and nothing else. A lock on a file shows that its owner lives, since the
kernel drops it however the owner ends; so a worker that was killed is never waited for. One that
lives but does not show itself for some seconds (it is stopped, or stuck) is not waited for either:
it follows what was decided without it when it comes back.
"""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

# From a decision to the moment at which all workers act on it: long enough for each to read it,
# even while its interpreter is busy.
_NOTICE_S = 0.06
# A worker that has not shown itself for as long is not waited for.
SILENT_S = 10.0
# How many versions all workers together load at once, so that cores and memory are left for what
# serves; and after how long a load no longer counts, so that slow ones do not hold up the others.
_LOADS_AT_ONCE = 2
_SLOW_LOAD_S = 10.0
# A load that only warms up and proves itself has its memory already; it lets others pass sooner.
_SLOW_RUN_S = 1.0
# Nothing is decided for as long after the folder had to be made anew: others are yet to find it.
_REGROUP_S = 3.0
# A lock is held for less than a millisecond, unless its owner was stopped just then.
_LOCK_WAIT_S = 5.0
_LOCK_STEP_S = 0.002

_NONE: Set[int] = frozenset()
_REMADE = "remade"
_LOADS = "loads.json"
_MODEL = "model-"


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


class WorkerGroup:
    """The folder that the workers of one service share. One object a worker.

    Attributes:
        joined: how often this worker has joined; more than once when the folder had vanished.
            What was decided and claimed before must then be restored.
    """

    def __init__(self, folder: Path | None, *, silent_s: float = SILENT_S) -> None:
        """Prepare to share ``folder``; without one, the worker is alone.

        Nothing is read or written before ``join``.

        Args:
            folder: the folder; it is made when it is not there.
            silent_s: seconds after which a worker that does not show itself is not waited for.
        """
        self._folder = folder
        self._silent_s = silent_s
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._name = ""
        self._presence = -1
        self.joined = 0

    def join(self) -> None:
        """Become a member: from now on nothing is decided without this worker."""
        if self._folder is None:
            self._own = tempfile.TemporaryDirectory(prefix="understudy-board-")
            self._folder = Path(self._own.name)
        self._name = f"{os.getpid()}-{uuid4().hex[:8]}"
        self._enter()

    def beat(self) -> None:
        """Show that this worker takes part; to be called every second or so.

        Where the folder has vanished (temporary files are cleaned up) it is made anew.
        """
        if not self.joined:
            return
        if self._presence >= 0 and os.fstat(self._presence).st_nlink == 0:
            os.close(self._presence)
            self._presence = -1
        if self._presence >= 0:
            self._show()
            return
        self._members.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), (self._shared / _REMADE).open("x") as file:
            file.write(str(time.monotonic()))
        self._enter()

    def leave(self) -> None:
        """Stop being a member; the others decide without this worker."""
        if self._presence >= 0:
            os.close(self._presence)
            self._presence = -1
        self.joined = 0
        if self._own is not None:
            self._own.cleanup()
            self._own = self._folder = None

    @property
    def folder(self) -> Path:
        """The folder itself, for what else the workers of one service remember together."""
        return self._shared

    def take_load_lock(self, model: str, version: int) -> bool:
        """Whether this worker may load a version now; it then gives the lock back when it has.

        A version is loaded by one worker after the other, and only some at once, so that what
        serves goes on unhurried. Who is silent holds nobody up, and who loads for long only
        those that wait for the same version.
        """
        mine = {"worker": self._name, "model": model, "version": version}
        now = time.monotonic()
        with self._locked():
            living = self._attentive()
            loads = [load for load in self._loads() if load["worker"] in living]
            same = any((each["model"], each["version"]) == (model, version) for each in loads)
            if same or sum(_is_hurried(load, now) for load in loads) >= _LOADS_AT_ONCE:
                return False
            self._write(_LOADS, [*loads, {**mine, "since": now}])
            return True

    def note_run(self, model: str, version: int) -> None:
        """Take note that a version which this worker loads is loaded, and runs now."""
        with self._locked():
            loads = self._loads()
            for load in loads:
                if (load["worker"], load["model"], load["version"]) == (self._name, model, version):
                    load["runs_since"] = time.monotonic()
            self._write(_LOADS, loads)

    def loading(self) -> list[tuple[str, int]]:
        """Return the models and versions that living workers load now."""
        living = self._living()
        loads = [load for load in self._loads() if load["worker"] in living]
        return sorted({(load["model"], load["version"]) for load in loads})

    def give_load_lock_back(self, model: str, version: int) -> None:
        """Let others load."""
        with self._locked():
            self._write(
                _LOADS,
                [
                    load
                    for load in self._loads()
                    if (load["worker"], load["model"], load["version"])
                    != (self._name, model, version)
                ],
            )

    def served(self) -> dict[str, bool]:
        """Return the models of which some version should answer, by the last decision on each.

        Returns:
            For each such model, whether a living worker holds a version of it.
        """
        living = self._living()
        found = {}
        for path in self._shared.glob(f"{_MODEL}*.json"):
            model = path.name.removeprefix(_MODEL).removesuffix(".json")
            record = self._read(model)
            decision = _decision(record)
            if decision and decision.plan.versions:
                found[model] = any(self._held(record, living).values())
        return found

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
                record["proposal"], record["votes"] = _plan_to_json(plan), {}
            return _plan(record["proposal"])

    def vote(self, model: str, plan: Plan, contents: Mapping[int, str]) -> Decision | None:
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
            record["votes"][self._name] = _contents_to_json(contents)
            living = self._attentive()
            votes = [record["votes"].get(name) for name in living]
            if any(vote != votes[0] for vote in votes) or self._regroups():
                return None
            number = record.get("decision", {}).get("number", 0) + 1
            at = time.monotonic() + (_NOTICE_S if len(living) > 1 else 0.0)
            record["decision"] = {"number": number, "plan": _plan_to_json(plan), "at": at}
            record["proposal"], record["votes"] = None, {}
            return _decision(record)

    def withdraw(self, model: str, plan: Plan) -> None:
        """Give the proposed ``plan`` up, because some worker cannot prepare it."""
        with self._changed(model) as record:
            if record.get("proposal") == _plan_to_json(plan):
                record["proposal"], record["votes"] = None, {}

    def contents(self, model: str) -> dict[int, str]:
        """Return what the living workers hold under each number that answers, or still drains."""
        found: dict[int, str] = {}
        for held in self._held(self._read(model), self._living()).values():
            found |= {int(version): content for version, content in held.items()}
        return found

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
            held = self._held(record, self._living())
            held.pop(self._name, None)
            mine = _contents_to_json(contents)
            taken = {
                int(version)
                for other in held.values()
                for version in other.keys() & {str(each) for each in new}
                if other[version] != mine[version]
            }
            if not taken:
                held[self._name] = mine
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

    @property
    def _shared(self) -> Path:
        if self._folder is None:
            raise RuntimeError("A board must be joined before it is used.")
        return self._folder

    @property
    def _members(self) -> Path:
        return self._shared / "members"

    def _enter(self) -> None:
        self._members.mkdir(parents=True, exist_ok=True)
        with self._locked():
            presence = os.open(self._members / self._name, os.O_CREAT | os.O_RDWR)
            fcntl.flock(presence, fcntl.LOCK_EX)
            self._presence = presence
            self._show()
        self.joined += 1

    def _show(self) -> None:
        os.pwrite(self._presence, f"{time.monotonic():020.3f}".encode(), 0)

    def _living(self) -> list[str]:
        """Return the members whose locks are held, silent ones too; under the lock or not."""
        living = []
        for path in sorted(self._members.iterdir()):
            if path.name == self._name:
                living.append(path.name)
                continue
            try:
                handle = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                living.append(path.name)
            finally:
                os.close(handle)
        return living

    def _attentive(self) -> list[str]:
        """Return the living members that have shown themselves of late; under the lock.

        The files of members that have ended are removed.
        """
        living = self._living()
        oldest = time.monotonic() - self._silent_s
        attentive = []
        for path in sorted(self._members.iterdir()):
            if path.name not in living:
                path.unlink(missing_ok=True)
            elif path.name == self._name or float(path.read_bytes() or b"0") >= oldest:
                attentive.append(path.name)
        return attentive

    def _regroups(self) -> bool:
        try:
            remade = float((self._shared / _REMADE).read_bytes() or b"0")
        except FileNotFoundError:
            return False
        return time.monotonic() - remade < _REGROUP_S

    def _held(self, record: Mapping[str, Any], living: list[str]) -> dict[str, dict[str, str]]:
        return {worker: held for worker, held in record.get("held", {}).items() if worker in living}

    def _loads(self) -> list[dict[str, Any]]:
        loads: list[dict[str, Any]] = self._load_json(_LOADS, [])
        return loads

    def _read(self, model: str) -> dict[str, Any]:
        record: dict[str, Any] = self._load_json(f"{_MODEL}{model}.json", {})
        return record

    def _load_json(self, name: str, default: Any) -> Any:
        try:
            return json.loads((self._shared / name).read_bytes())
        except FileNotFoundError:
            return default

    def _write(self, name: str, value: Any) -> None:
        draft = self._shared / f".{name}"
        draft.write_text(json.dumps(value))
        draft.replace(self._shared / name)

    @contextlib.contextmanager
    def _changed(self, model: str) -> Iterator[dict[str, Any]]:
        """Change a model's record as one step that no other worker can come between."""
        with self._locked():
            record = self._read(model)
            before = json.dumps(record)
            yield record
            if json.dumps(record) != before:
                self._write(f"{_MODEL}{model}.json", record)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the folder.

        Raises:
            TimeoutError: a worker was stopped while it held the lock; gunicorn's master ends
                such a worker after half a minute.
        """
        handle = os.open(self._shared / "lock", os.O_CREAT | os.O_RDWR)
        try:
            deadline = time.monotonic() + _LOCK_WAIT_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise TimeoutError("A worker that is stopped holds the lock.") from None
                    time.sleep(_LOCK_STEP_S)
            yield
        finally:
            os.close(handle)


def _is_hurried(load: Mapping[str, Any], now: float) -> bool:
    """Whether others wait for a load: not when it takes long."""
    if "runs_since" in load and now - load["runs_since"] >= _SLOW_RUN_S:
        return False
    return bool(now - load["since"] < _SLOW_LOAD_S)


def _plan_to_json(plan: Plan) -> dict[str, Any]:
    return {"versions": list(plan.versions), "labels": dict(plan.labels)}


def _plan(value: Mapping[str, Any]) -> Plan:
    return Plan(tuple(value["versions"]), value["labels"])


def _contents_to_json(contents: Mapping[int, str]) -> dict[str, str]:
    return {str(version): content for version, content in sorted(contents.items())}


def _decision(record: Mapping[str, Any]) -> Decision | None:
    if "decision" not in record:
        return None
    value = record["decision"]
    return Decision(value["number"], _plan(value["plan"]), value["at"])
