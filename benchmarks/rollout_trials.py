"""Rollouts against real processes: ``python -m benchmarks.rollout_trials``.

A service with two workers serves a small classifier; clients ask without pause, and a candidate is
put on trial: one that does alike, is better, has two labels swapped, takes twice as long, fails on
1 % of the inputs, or answers NaN on 0.5 % (``--rare`` says on how many). Each kind is tried several
times, with a shadow and without. Printed are the decisions, the clients whom a candidate that does
harm has reached, and the wrong decisions, of which there should be none.

With ``--truths`` half of the requests are stored, and somebody labels audits all the while. Tried
are candidates that truths alone tell apart: one that is worse, and one that swaps two labels on
rare inputs, both within the margin of disagreement; and one that is better, and one that is equal.
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
from service.repository.model_policy import begin_rollout
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import RolloutRules
from tests.savedmodels.trial import CLASSES, KINDS, publish_trial

_UNLABELLED = ("equal", "better", "swapped", "slow", "failing", "nan")
_LABELLED = ("worse", "rare_swap", "better", "equal")
_HARMLESS = {"equal", "better"}
_MODEL = "trial"
_CLIENTS = 8
# Shares of the inputs on which a failing candidate fails.
_RARE = {"failing": 0.01, "nan": 0.005}
# Products of matrices; so the model takes most of an answer's time, and twice of it shows.
_WORK = 400
# Longer than workers take to follow a policy.
_FOLLOW_S = 2.0
# Audits that are labelled at once, and seconds between them.
_AUDITS = 20
_LABEL_S = 0.5


@dataclass(frozen=True, slots=True)
class Trial:
    """How one rollout ended.

    Attributes:
        kind: the candidate's.
        shadow: whether there was a shadow.
        truths: the audits that were known of rows that both versions answered.
        state: where it was in the end.
        reason: why.
        stage: the stage in which it ended.
        exposed: requests that the candidate answered before it was promoted or rolled back.
        seconds: how long that took.
    """

    kind: str
    shadow: bool
    truths: int
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


class _Labeller:
    """Somebody who knows what is true: the number of the largest value."""

    def __init__(self, port: int) -> None:
        self._model = f"http://127.0.0.1:{port}/v1/models/{_MODEL}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._label, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _label(self) -> None:
        while not self._stop.wait(_LABEL_S):
            answer = requests.get(f"{self._model}/audits", {"count": _AUDITS}, timeout=60)
            items = [
                {
                    "id": audit["id"],
                    "row": audit["row"],
                    "truth": str(int(np.argmax(audit["inputs"]["x"]))),
                    "source": "audit",
                }
                for audit in answer.json()["audits"]
            ]
            if items:
                requests.post(f"{self._model}:feedback", json={"feedback": items}, timeout=60)


def run_trial(
    kind: str, rules: RolloutRules, pause_s: float, most_s: float, *, rare: float, has_truths: bool
) -> Trial:
    """Run one rollout in a service of its own, and return how it ended.

    Args:
        kind: the candidate's.
        rules: of the rollout.
        pause_s: of each client between two requests.
        most_s: seconds after which it is given up.
        rare: the share of inputs on which a failing candidate fails.
        has_truths: whether requests are stored, and audits labelled.

    Raises:
        BenchmarkError: the service did not start.
    """
    with tempfile.TemporaryDirectory(prefix="understudy-trial-") as name:
        models = Path(name, "models")
        publish_trial(models, model=_MODEL, work=_WORK)
        (models / _MODEL / "policy.json").write_text('{"serve": {"versions": [1]}}')
        publish_trial(models, kind, model=_MODEL, work=_WORK, rare=rare)
        port = free_port()
        environment = {
            "MODELS": str(models),
            "PORT": str(port),
            "UNDERSTUDY_WORKERS": "2",
            "UNDERSTUDY_POLL_INTERVAL_S": "0.5",
        }
        if has_truths:
            environment["UNDERSTUDY_EVENTS"] = str(Path(name, "events.db"))
            environment["UNDERSTUDY_EVENTS_RATE"] = "0.5"
        command = [sys.executable, "-m", "gunicorn", "-c", "service/server/gunicorn.conf.py"]
        with Server("understudy", command, port, environment, Path(name, "log")) as server:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(server, url)
            clients = _Clients(port, pause_s)
            labeller = _Labeller(port) if has_truths else None
            try:
                return _watch(kind, rules, models / _MODEL, url, clients, most_s)
            finally:
                clients.stop()
                if labeller is not None:
                    labeller.stop()


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
        (found.get("quality") or {}).get("truths", 0),
        found["state"],
        found["reason"],
        stage,
        exposed,
        seconds,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials; the exit status is 1 when a decision was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollout_trials")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, metavar="KIND")
    parser.add_argument("--truths", action="store_true", help="store requests and label audits")
    parser.add_argument("--times", type=int, default=5, metavar="N", help="runs of each kind")
    parser.add_argument("--pause", type=float, default=0.02, metavar="S", help="of each client")
    parser.add_argument("--most", type=float, default=300, metavar="S", help="for one rollout")
    parser.add_argument("--rare", type=float, metavar="SHARE", help="of inputs that fail")
    parser.add_argument("--without-shadow", action="store_true", help="begin with the canary")
    options = parser.parse_args(arguments)
    rules = RolloutRules(
        percents=(5.0, 25.0, 50.0),
        step_s=5,
        bake_s=30,
        shadow_batches=0 if options.without_shadow else 200,
    )
    wrong = 0
    print("| candidate | shadow | truths | state | during | exposed | seconds | reason |")
    print("|---|---|---:|---|---|---:|---:|---|", flush=True)
    for kind in options.kinds or (_LABELLED if options.truths else _UNLABELLED):
        for _ in range(options.times):
            trial = run_trial(
                kind,
                rules,
                options.pause,
                options.most,
                rare=options.rare or _RARE.get(kind, 0.0),
                has_truths=options.truths,
            )
            wrong += trial.is_wrong
            print(
                f"| {kind} | {'yes' if trial.shadow else 'no'} | {trial.truths:,} "
                f"| {trial.state} | {trial.stage} | {trial.exposed:,} | {trial.seconds:.0f} "
                f"| {trial.reason} |",
                flush=True,
            )
    print(f"\n{wrong} wrong decisions")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
