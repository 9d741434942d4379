"""The run: check and weigh each server alone, then let them take turns, round by round."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.cases import Case
from benchmarks.contestants import Contestant
from benchmarks.errors import BenchmarkError
from benchmarks.load import run_wrk
from benchmarks.measure import measure
from benchmarks.process import HOST, Server, free_port
from benchmarks.results import Memory, Results

# A model's first call in a process can take a second, and which worker takes a connection is
# chance: enough connections, for long enough, that every worker has had its first calls.
_WARM_UP_S = 2
_WARM_UP_CONNECTIONS = 8

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run.

    Attributes:
        cases: what is asked.
        contestants: who is asked, in the order of their turns.
        pythons: by name, the Python that each runs with.
        rounds: how often.
        seconds: how long each measurement lasts.
        workers: worker processes of each server.
        models: the folder of models that they serve.
        scratch: a folder for payloads and logs.
    """

    cases: Sequence[Case]
    contestants: Sequence[Contestant]
    pythons: Mapping[str, str]
    rounds: int
    seconds: int
    workers: int
    models: Path
    scratch: Path


class Run:
    """One run of a plan."""

    def __init__(self, plan: Plan, say: Say) -> None:
        """A run that has not begun.

        Args:
            plan: what to run.
            say: called with a line about what happens now.
        """
        self._plan = plan
        self._say = say
        self._results = Results()
        # For each server by name, the cases that it answered right.
        self._right: dict[str, list[Case]] = {}

    def __call__(self) -> Results:
        """Run, and return what was found."""
        for contestant in self._plan.contestants:
            self._say(f"{contestant.name}: checking its answers, and its memory")
            with self._reporting(contestant.name), self._started(contestant) as server:
                self._prove(contestant, server)
        with contextlib.ExitStack() as stack:
            servers = {}
            for contestant in self._plan.contestants:
                if self._right.get(contestant.name):
                    self._say(f"{contestant.name}: starting")
                    with self._reporting(contestant.name):
                        server = stack.enter_context(self._started(contestant))
                        servers[contestant.name] = server
                        self._warm_up(contestant, server)
            for round_ in range(self._plan.rounds):
                self._play(round_, servers)
        return self._results

    def _prove(self, contestant: Contestant, server: Server) -> None:
        """Check an answer to each case, load each for a moment, then weigh the server."""
        right = self._right.setdefault(contestant.name, [])
        for case in filter(contestant.takes, self._plan.cases):
            with self._reporting(f"{contestant.name}, {case.name}"):
                body = case.payload.body(contestant.protocol)
                answer = server.post(contestant.path_of(case), body)
                problems = case.payload.problems(answer, contestant.protocol)
                if problems:
                    raise BenchmarkError(problems[0])
                self._body(contestant, case).write_bytes(body)
                right.append(case)
        self._warm_up(contestant, server)
        self._results.memory[contestant.name] = Memory(
            procfs.pss_bytes(server.pid), len(procfs.tree(server.pid))
        )

    def _warm_up(self, contestant: Contestant, server: Server) -> None:
        """Send each payload for a moment; what comes of it is not measured."""
        for case in {case.payload.name: case for case in self._right[contestant.name]}.values():
            server.require_running()
            run_wrk(
                server.url(contestant.path_of(case)),
                self._body(contestant, case),
                connections=_WARM_UP_CONNECTIONS,
                seconds=_WARM_UP_S,
            )

    def _play(self, round_: int, servers: Mapping[str, Server]) -> None:
        for case in self._plan.cases:
            self._say(f"round {round_ + 1} of {self._plan.rounds}: {case.name}")
            for contestant in self._plan.contestants:
                server = servers.get(contestant.name)
                if server is None or case not in self._right.get(contestant.name, []):
                    continue
                with self._reporting(f"{contestant.name}, {case.name}, round {round_ + 1}"):
                    measurement = measure(
                        server,
                        contestant.path_of(case),
                        self._body(contestant, case),
                        connections=case.connections,
                        seconds=self._plan.seconds,
                    )
                    self._results.add(case.name, contestant.name, round_, measurement)

    def _body(self, contestant: Contestant, case: Case) -> Path:
        return self._plan.scratch / f"{contestant.name}-{case.payload.name}.json"

    @contextlib.contextmanager
    def _started(self, contestant: Contestant) -> Iterator[Server]:
        port = free_port()
        environ = {
            "MODELS": str(self._plan.models),
            "HOST": HOST,
            "PORT": str(port),
            "UNDERSTUDY_WORKERS": str(self._plan.workers),
            "BENCHMARK_SCRATCH": str(self._plan.scratch),
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        python = self._plan.pythons[contestant.name]
        command = [python, *contestant.command(port, self._plan.workers)]
        log = self._plan.scratch / f"{contestant.name}.log"
        with Server(contestant.name, command, port, environ, log) as server:
            server.wait_until_ready(contestant.ready)
            yield server

    @contextlib.contextmanager
    def _reporting(self, what: str) -> Iterator[None]:
        """Note what fails, and go on: the other servers' figures are worth having all the same."""
        try:
            yield
        except BenchmarkError as error:
            self._results.failures.append(f"{what}: {error}")
            self._say(f"FAILED: {what}: {error}")
