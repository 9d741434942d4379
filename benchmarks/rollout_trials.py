"""Rollouts against real processes: ``python -m benchmarks.rollout_trials``.

A service with two workers serves a small classifier; clients ask without pause, and a candidate is
put on trial: one that does alike, is better, has two labels swapped, takes twice as long, fails on
1 % of the inputs, or answers NaN on a rare input. Each kind is tried several times, with a shadow
and without. Printed are the decisions, the clients whom a candidate that does harm has reached, and
the wrong decisions, of which there should be none.
"""

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests

from benchmarks.errors import BenchmarkError
from benchmarks.process import Server, free_port
from service.repository.policy import begin_rollout
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import RolloutRules
from tests.savedmodels.trial import CLASSES, KINDS, publish_trial

_HARMLESS = {"equal", "better"}
_MODEL = "trial"
_CLIENTS = 8
# Products of matrices; so the model takes most of an answer's time, and twice of it shows.
_WORK = 400
# Longer than workers take to follow a policy.
_FOLLOW_S = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """How one rollout ended.

    Attributes:
        kind: the candidate's.
        shadow: whether there was a shadow.
        state: where it was in the end.
        reason: why.
        stage: the stage in which it ended.
        exposed: requests that the candidate answered before it was promoted or rolled back.
        seconds: how long that took.
    """

    kind: str
    shadow: bool
    state: str
    reason: str
    stage: str
    exposed: int
    seconds: float

    @property
    def is_wrong(self) -> bool:
        """Whether a candidate without harm was rolled back, or one with harm promoted."""
        if self.kind in _HARMLESS:
            return self.state == "rolled back"
        return self.state in ("baking", "live")


class _Clients:
    """Threads that ask without pause, over connections that stay open."""

    def __init__(self, port: int, pause_s: float) -> None:
        self._port = port
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answered: dict[str, int] = {}
        self._threads = [
            threading.Thread(target=self._ask, args=(seed,), daemon=True)
            for seed in range(_CLIENTS)
        ]
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _ask(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._stop.is_set():
            body = json.dumps({"instances": random.random((1, CLASSES)).round(4).tolist()})
            connection.request("POST", f"/v1/models/{_MODEL}:predict", body)
            response = connection.getresponse()
            response.read()
            version = response.headers.get("X-Model-Version", "")
            with self._lock:
                self.answered[version] = self.answered.get(version, 0) + 1
            self._stop.wait(self._pause_s)
        connection.close()


def run_trial(kind: str, rules: RolloutRules, pause_s: float, most_s: float) -> Trial:
    """Run one rollout in a service of its own, and return how it ended.

    Raises:
        BenchmarkError: the service did not start.
    """
    with tempfile.TemporaryDirectory(prefix="understudy-trial-") as name:
        models = Path(name, "models")
        publish_trial(models, model=_MODEL, work=_WORK)
        (models / _MODEL / "policy.json").write_text('{"serve": {"versions": [1]}}')
        publish_trial(models, kind, model=_MODEL, work=_WORK, rare=0.01 if kind != "nan" else 0.005)
        port = free_port()
        environment = {
            "MODELS": str(models),
            "PORT": str(port),
            "UNDERSTUDY_WORKERS": "2",
            "UNDERSTUDY_POLL_INTERVAL_S": "0.5",
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "service/server/gunicorn.conf.py"]
        with Server("understudy", command, port, environment, Path(name, "log")) as server:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(server, url)
            clients = _Clients(port, pause_s)
            try:
                return _watch(kind, rules, models / _MODEL, url, clients, most_s)
            finally:
                clients.stop()


def _wait_until_ready(server: Server, url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/readyz", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise BenchmarkError("the service did not start")


def _watch(
    kind: str, rules: RolloutRules, folder: Path, url: str, clients: _Clients, most_s: float
) -> Trial:
    start = time.monotonic()
    change_policy(folder, lambda policy: begin_rollout(policy, 1, 2, rules))
    found: dict[str, Any] = {"state": "", "reason": "", "percent": 0}
    stage = ""
    while time.monotonic() - start < most_s:
        found = requests.get(f"{url}/v1/models/{_MODEL}/rollout", timeout=30).json()
        if found["state"] in ("baking", "live", "rolled back"):
            break
        stage = f"{found['state']} {found.get('percent', 0):g} %"
        time.sleep(0.2)
    seconds = time.monotonic() - start
    if found["state"] == "rolled back":
        # Until all workers follow, the candidate goes on answering its share.
        time.sleep(_FOLLOW_S)
    exposed = clients.answered.get("2", 0)
    return Trial(
        kind,
        bool(rules.shadow_batches),
        found["state"],
        found["reason"],
        stage,
        exposed,
        seconds,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials; the exit status is 1 when a decision was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollout_trials")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, metavar="KIND")
    parser.add_argument("--times", type=int, default=5, metavar="N", help="runs of each kind")
    parser.add_argument("--pause", type=float, default=0.02, metavar="S", help="of each client")
    parser.add_argument("--most", type=float, default=300, metavar="S", help="for one rollout")
    parser.add_argument("--without-shadow", action="store_true", help="begin with the canary")
    options = parser.parse_args(arguments)
    rules = RolloutRules(
        percents=(5.0, 25.0, 50.0),
        step_s=5,
        bake_s=30,
        shadow_batches=0 if options.without_shadow else 200,
    )
    wrong = 0
    print("| candidate | shadow | state | during | exposed | seconds | reason |", flush=True)
    print("|---|---|---|---|---:|---:|---|", flush=True)
    for kind in options.kinds:
        for _ in range(options.times):
            trial = run_trial(kind, rules, options.pause, options.most)
            wrong += trial.is_wrong
            print(
                f"| {kind} | {'yes' if trial.shadow else 'no'} | {trial.state} | {trial.stage} "
                f"| {trial.exposed:,} | {trial.seconds:.0f} | {trial.reason} |",
                flush=True,
            )
    print(f"\n{wrong} wrong decisions")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
