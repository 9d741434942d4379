"""How a version becomes a servable: verify, load, warm up, prove; each step is timed and reported.

Each attempt runs on a thread of its own, which the lifecycle's thread looks after but never waits
for: a version that loads for long, or for ever, holds up nothing else. Python cannot end a thread;
so one that is given up is left behind. Its session is closed, which ends most endless graphs, and
so is its servable when the thread ends at last.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.file_sizes import check_sizes
from service.repository.manifest import content_digest, has_manifest, verify_manifest
from service.repository.row_independence import Declared
from service.runtime.directory_snapshot import DirectorySnapshot, take_snapshot
from service.runtime.load_error import Fault, LoadError
from service.runtime.servable import Servable
from service.runtime.version_state import State

MakeServable = Callable[[str, int, Path], Servable]

# What each step of a load is called when it is given up.
_DOING = {
    State.VERIFYING: "Verifying its files",
    State.LOADING: "Loading it",
    State.WARMING: "Warming it up",
    State.PROVING: "Running its golden examples",
}


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """A version that has proved itself.

    Attributes:
        servable: what answers.
        content: stands for the content of the files that it was loaded from.
        snapshot: how the files looked.
    """

    servable: Servable
    content: str
    snapshot: DirectorySnapshot


class ReplacedError(LoadError):
    """Workers hold another content under this number.

    Attributes:
        content: the content that was found.
    """

    def __init__(self, version: int, content: str) -> None:
        super().__init__(
            Fault.REPLACED,
            f"Version {version} was replaced in place: workers still hold other content under "
            "that number; publish it under a new one.",
        )
        self.content = content


class ChangedError(Exception):
    """The files changed while they were loaded; what was loaded may be of two contents."""


class Loader:
    """Makes servables that have proved themselves."""

    def __init__(
        self,
        make: MakeServable,
        metrics: Metrics,
        watch: Callable[[Servable], None] = lambda servable: None,
        *,
        step_timeout_s: float = 300.0,
    ) -> None:
        """A loader of which no load has begun.

        Args:
            make: makes a servable of a model's name, a version and its folder.
            metrics: where the seconds of each step are counted.
            watch: is called with each servable that is made.
            step_timeout_s: seconds that each step may take before the load is given up.
        """
        self._watch = watch
        self._make = make
        self._metrics = metrics
        self._step_timeout_s = step_timeout_s
        self._left_behind: list[Loading] = []

    def give_up(self, loading: "Loading") -> None:
        """Leave a load behind; its servable is closed as soon as its thread ends."""
        if loading.give_up():
            self._left_behind.append(loading)
            self._metrics.loads_left_behind.inc()

    def count_left_behind(self) -> None:
        """Count the loads that were left behind and still run."""
        for loading in [each for each in self._left_behind if each.done]:
            self._left_behind.remove(loading)
            self._metrics.loads_left_behind.dec()

    def begin(
        self,
        model: str,
        version: int,
        folder: Path,
        snapshot: DirectorySnapshot,
        *,
        contents: Callable[[], dict[int, str]],
        declared: Declared,
        on_step: Callable[[State], None],
        on_end: Callable[[], None],
    ) -> "Loading":
        """Begin to load the version in ``folder``, on a thread of its own.

        Args:
            model: the model's name.
            version: the version's number.
            folder: the version's folder.
            snapshot: how the folder looks.
            contents: returns what the workers hold under each number.
            declared: what the model's policy says of the independence of rows.
            on_step: is called with each step as it begins, on that thread, until it is given up.
            on_end: is called on that thread when it ends.
        """

        def load(loading: Loading) -> LoadedVersion:
            return self._load(model, version, folder, snapshot, contents, declared, loading)

        return Loading(
            f"load {model} {version}", load, snapshot, self._step_timeout_s, on_step, on_end
        )

    def _load(
        self,
        model: str,
        version: int,
        folder: Path,
        snapshot: DirectorySnapshot,
        contents: Callable[[], dict[int, str]],
        declared: Declared,
        loading: "Loading",
    ) -> LoadedVersion:
        @contextlib.contextmanager
        def step(state: State) -> Iterator[None]:
            loading.enter(state)
            start = time.perf_counter()
            yield
            if loading.given_up:  # An interrupted step may end as one that is done.
                return
            seconds = time.perf_counter() - start
            self._metrics.load_seconds.labels(model, str(state)).observe(seconds)
            log(
                logging.INFO,
                f"A version has passed {state}.",
                model=model,
                version=version,
                milliseconds=round(seconds * 1000, 1),
            )

        with step(State.VERIFYING):
            try:
                check_sizes(folder)
            except RepositoryError as error:
                raise LoadError(Fault.GRAPH, str(error)) from error
            try:
                if has_manifest(folder):
                    verify_manifest(folder)
                elif blocked := take_snapshot(folder).blocked:
                    raise LoadError(Fault.GRAPH, blocked)
                content = content_digest(folder)
            except PermissionError as error:
                reason = take_snapshot(folder).blocked or f"It cannot be read: {error.strerror}."
                raise LoadError(Fault.GRAPH, reason) from error
            except RepositoryError as error:
                raise LoadError(Fault.MANIFEST, str(error)) from error
            if contents().get(version, content) != content:
                raise ReplacedError(version, content)
        with step(State.LOADING):
            servable = self._make(model, version, folder)
        servable.declare_rows(declared)
        self._watch(servable)
        try:
            loading.servable = servable
            with step(State.WARMING):
                servable.warm_up()
                servable.replay()
            with step(State.PROVING):
                servable.prove()
                servable.check_rows()
            if take_snapshot(folder).digest != snapshot.digest:
                raise ChangedError
        except BaseException:
            servable.retire(lambda: None)
            raise
        return LoadedVersion(servable, content, snapshot)


class Loading:
    """One attempt to load a version, under way on a thread of its own.

    Attributes:
        snapshot: how the files looked when it began.
        servable: what it has made so far, so that it can be interrupted.
    """

    def __init__(
        self,
        name: str,
        load: Callable[["Loading"], LoadedVersion],
        snapshot: DirectorySnapshot,
        step_timeout_s: float,
        on_step: Callable[[State], None],
        on_end: Callable[[], None],
    ) -> None:
        """A load that begins at once; the arguments are those of ``Loader.begin``."""
        self.snapshot = snapshot
        self.servable: Servable | None = None
        self._load = load
        self._step_timeout_s = step_timeout_s
        self._on_step = on_step
        self._on_end = on_end
        self._lock = threading.Lock()
        self._state = State.VERIFYING
        self._began = self._step_began = time.monotonic()
        self._result: LoadedVersion | BaseException | None = None
        self._given_up = False
        # Not of a pool, whose threads are waited for when the process ends.
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def seconds(self) -> float:
        """For how long it has been under way, in seconds."""
        return time.monotonic() - self._began

    @property
    def runs(self) -> bool:
        """Whether it is loaded, and only warms up and proves itself."""
        return self._state in (State.WARMING, State.PROVING)

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._given_up

    @property
    def done(self) -> bool:
        """Whether it has come to an end."""
        return self._result is not None

    def result(self) -> LoadedVersion:
        """Return what was loaded.

        Raises:
            BaseException: what kept it from being loaded.
        """
        if isinstance(self._result, LoadedVersion):
            return self._result
        raise self._result or RuntimeError("It is still being loaded.")

    def overdue(self) -> str:
        """Return what takes too long, in a sentence; empty while nothing does."""
        with self._lock:
            state, seconds = self._state, time.monotonic() - self._step_began
        if self.done or seconds < self._step_timeout_s:
            return ""
        return f"{_DOING[state]} took longer than {self._step_timeout_s:g} s."

    def give_up(self) -> bool:
        """Leave the thread behind; its servable is closed as soon as it ends.

        Returns:
            Whether the thread still runs.
        """
        with self._lock:
            self._given_up = True
            result = self._result
        if isinstance(result, LoadedVersion):
            result.servable.retire(lambda: None)
        elif result is None and self.servable is not None:
            self.servable.interrupt()
        return result is None

    def enter(self, state: State) -> None:
        """Begin a step.

        Raises:
            InterruptedError: loading was given up.
        """
        with self._lock:
            self._state, self._step_began = state, time.monotonic()
            given_up = self._given_up
        if given_up:
            raise InterruptedError("Loading was given up.")
        self._on_step(state)

    def _run(self) -> None:
        result: LoadedVersion | BaseException
        try:
            result = self._load(self)
        except BaseException as error:
            # Whatever it is, SystemExit too: the lifecycle must not wait for it.
            result = error
        with self._lock:
            self._result = result
            given_up = self._given_up
        if given_up and isinstance(result, LoadedVersion):
            result.servable.retire(lambda: None)
        # An error keeps everything that was read in memory until this frame lets it go.
        del result
        self._on_end()
