"""What happens in the demonstration, step by step, with the commands that a person would give."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import requests

from benchmarks.demo_loop.car_traffic import (
    MODEL,
    Car,
    CarClients,
    cars_of,
    with_extremes,
    write_cars,
)
from benchmarks.errors import BenchmarkError
from benchmarks.process import ROOT, Server, free_port
from training.data.dataset_types import Table

# How ``understudy retrain`` ends when a gate refuses the version, and without a reason to train.
_REFUSED, _NOTHING_NEW = 3, 4
# So often clients correct more answers, and it learns from those as well.
_MOST_RETRAININGS = 4
# The gate on audits compares on 50 or more.
_ENOUGH_AUDITS = 60
_LOOK_S = 1.0
_MOST_S = 1800.0
# For a demonstration: minutes in place of days. A candidate that has learned from drift is meant to
# answer otherwise, and a small machine is no place to compare latencies.
_RULES: Mapping[str, Any] = {
    "step_s": 2,
    "bake_s": 5,
    "percents": [10, 50],
    "min_requests": 30,
    "error_margin": 0.05,
    "shadow_batches": 60,
    "shadow_share": 1.0,
    "latency_margin": 10,
    "slow_margin": 0.9,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the demonstration is.

    Attributes:
        training: options of each training.
        calm_s: seconds of traffic before it drifts, and after all is well again.
        rate: requests a second.
        audits: how many are labelled in a round.
        truths: how many answers clients correct before the retraining.
        waits_for_alarm: whether audits wait for the alarm of drift, which takes minutes.
    """

    training: tuple[str, ...] = ()
    calm_s: float = 20.0
    rate: float = 40.0
    audits: int = 30
    truths: int = 300
    waits_for_alarm: bool = True


@dataclass(slots=True)
class Story:
    """What has happened.

    Attributes:
        clients: who asked, and what they were answered.
        marks: what happened when, in seconds since the clients began.
        outcomes: how each rollout ended.
        errors: the mean absolute errors in mi/gal, by part of the story.
    """

    clients: CarClients
    marks: list[tuple[float, str]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """Note and print what happens now."""
        self.marks.append((self.clients.seconds, text))
        print(f"{self.clients.seconds:6.0f} s  {text}", flush=True)

    def measure(self, name: str, since: float) -> float:
        """Note, and return, the mean absolute error of the answers since a moment."""
        errors = [each.error for each in self.clients.answers if each.at >= since]
        self.errors[name] = float(np.mean(errors))
        return self.errors[name]


def run_demo(table: Table, folder: Path, plan: Plan) -> Story:
    """Run the demonstration in an empty folder.

    Args:
        table: the cars of Auto MPG.
        folder: gets models, runs, events and the log.
        plan: how large it is.

    Raises:
        BenchmarkError: a step did not come to its end; the message says which.
    """
    late = cars_of(table, 78, 82)
    early = [*cars_of(table, 70, 75, ["usa"]), *with_extremes(late)]
    commands = _Commands(folder, plan)
    print(
        f"training on {len(early)} cars, nearly all of them American and of 1970 to 1975",
        flush=True,
    )
    commands.train(early, "early.csv")
    port = free_port()
    environment = {
        "MODELS": str(folder / "models"),
        "PORT": str(port),
        "UNDERSTUDY_WORKERS": "2",
        "UNDERSTUDY_POLL_INTERVAL_S": "0.5",
        "UNDERSTUDY_EVENTS": str(commands.store),
        "UNDERSTUDY_EVENTS_RATE": "1",
        "UNDERSTUDY_ACCESS_LOG": "off",
    }
    serve = [sys.executable, "-m", "understudy", "serve"]
    with Server("understudy", serve, port, environment, folder / "service.log") as server:
        server.wait_until_ready(resting_cpu_s=2.0)
        clients = CarClients(server.url(""), early, rate=plan.rate, corrected=0.5)
        try:
            return _tell_all(Story(clients), late, commands, server, plan)
        finally:
            clients.stop()


def _tell_all(
    story: Story, late: Sequence[Car], commands: "_Commands", server: Server, plan: Plan
) -> Story:
    clients = story.clients
    story.tell("clients ask about cars such as version 1 has learned from")
    time.sleep(plan.calm_s)
    story.measure("before", 0.0)
    story.tell("traffic drifts: cars of 1978 to 1982, from everywhere")
    clients.cars, drifted = late, clients.seconds
    if plan.waits_for_alarm:
        _wait(lambda: _drift(server)["state"] == "drift", "the alarm of drift")
        story.tell("the service raises its alarm: live rows are unlike the reference")
    labelled = 0

    def audits_show_harm() -> bool:
        nonlocal labelled
        labelled += clients.label_audits(plan.audits)
        return _drift(server)["quality"]["state"] == "worse" and labelled >= _ENOUGH_AUDITS

    # The service stores what it has answered within a second: a look at a time.
    _wait(audits_show_harm, "audits that show harm")
    story.tell(f"{labelled} audits show harm")
    print(f"          {_drift(server)['quality']['sentence']}", flush=True)
    _retrain(story, commands, plan)
    story.measure("drifted", drifted)
    _follow_rollout(story, server, 2, expected="live")
    promoted = clients.seconds
    time.sleep(plan.calm_s)
    story.measure("recovered", promoted)
    story.tell("somebody forces a version past the gates that has learned nonsense")
    commands.train([replace(car, mpg=60 - car.mpg) for car in late], "sabotaged.csv", forced=True)
    _follow_rollout(story, server, 3, expected="rolled back")
    undone = clients.seconds
    time.sleep(plan.calm_s / 2)
    story.measure("after sabotage", undone)
    story.tell("the end")
    return story


def _retrain(story: Story, commands: "_Commands", plan: Plan) -> None:
    """Retrain on what clients correct, until the gates let a version through."""
    clients, wanted = story.clients, 0
    for _ in range(_MOST_RETRAININGS):
        wanted += plan.truths
        _wait(partial(_has_corrected, clients, wanted), "clients that correct answers")
        began = clients.seconds
        if commands.retrain():
            print(f"          retrained in {clients.seconds - began:.0f} s", flush=True)
            return
        story.tell("a gate refuses what was learned: more corrections are waited for")
    raise BenchmarkError(f"Gates have refused {_MOST_RETRAININGS} retrainings.")


def _has_corrected(clients: CarClients, count: int) -> bool:
    return clients.corrected >= count


def _drift(server: Server) -> dict[str, Any]:
    answer = requests.get(server.url(f"/v1/models/{MODEL}/drift"), timeout=60)
    return dict(answer.json())


def _follow_rollout(story: Story, server: Server, candidate: int, *, expected: str) -> None:
    """Tell each stage of a version's rollout until it has ended as it should."""
    shown: dict[str, Any] = {}
    seen = ""

    def has_ended() -> bool:
        nonlocal shown, seen
        shown = requests.get(server.url(f"/v1/models/{MODEL}/rollout"), timeout=60).json()
        # Before the service has seen it, the rollout before is shown.
        if shown.get("candidate") != candidate:
            return False
        state = str(shown["state"])
        stage = f"{state} {shown['percent']:g} %" if state == "canary" else state
        if stage != seen:
            story.tell(f"version {candidate}: {stage}")
            seen = stage
        return state in ("live", "rolled back")

    _wait(has_ended, f"version {candidate} to be {expected}", look_s=_LOOK_S / 4)
    story.outcomes.append(shown["state"])
    if shown["state"] != expected:
        raise BenchmarkError(f"version {candidate} was to be {expected}: {json.dumps(shown)}")


def _wait(condition: Callable[[], bool], what: str, *, look_s: float = _LOOK_S) -> None:
    deadline = time.monotonic() + _MOST_S
    while not condition():
        if time.monotonic() > deadline:
            raise BenchmarkError(f"Waited for {what} too long.")
        time.sleep(look_s)


class _Commands:
    """The commands of ``understudy`` that the story needs, in its folder."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.store = folder / "events.db"
        self._folder = folder
        self._training = [*plan.training, "--out", "models"]

    def train(self, cars: Sequence[Car], name: str, *, forced: bool = False) -> None:
        """Train on cars and publish, past the gates and on trial where it is forced."""
        write_cars(self._folder / name, cars)
        more = ["--force", "--rollout", "--rollout-rules", json.dumps(_RULES)] if forced else []
        if forced:  # Nonsense needs no care.
            more += ["--epochs", "5"]
        self._run("train", MODEL, "--data", name, *self._training, *more)

    def retrain(self) -> bool:
        """Retrain on feedback, on trial; whether the gates let it through.

        Raises:
            BenchmarkError: it has found no reason, though audits show harm.
        """
        rules = {**_RULES, "disagreement_margin": 1}
        status = self._run(
            *("retrain", MODEL, "--data", "early.csv", *self._training),
            *("--feedback", "--store", str(self.store), "--after-harm"),
            *("--feedback-share", "0.5", "--rollout", "--rollout-rules", json.dumps(rules)),
            allowed=(0, _REFUSED, _NOTHING_NEW),
        )
        if status == _NOTHING_NEW:
            raise BenchmarkError("Retraining found no reason, though audits show harm.")
        return status == 0

    def _run(self, *arguments: str, allowed: Sequence[int] = (0,)) -> int:
        log = self._folder / f"{arguments[0]}.log"
        with log.open("ab") as output:
            status = subprocess.call(
                [sys.executable, "-m", "understudy", *arguments],
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if status not in allowed:
            words = log.read_text(errors="replace").strip()[-800:]
            raise BenchmarkError(f"understudy {arguments[0]} ended with status {status}: {words}")
        return status
