"""Send requests to a running service without pause, and report what clients get.

Started by ``python -m benchmarks.watch``. It sends the golden examples of a model, and compares
each answer with those of the version that gave it. A line a second reports throughput, latency and
which versions answered, and a line marks the moment at which another version took over; the last
line sums up. Retrain, roll back or kill a worker meanwhile: no request should fail.
"""

import argparse
import asyncio
import json
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.errors import BenchmarkError
from benchmarks.steady_clients import Answer, Target, send_requests
from service.monitoring.terminal import BOLD, GREEN, has_colours, styled
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.errors import RepositoryError
from service.repository.golden_examples import Golden, agree, read_golden
from service.repository.model_store import Store

_REPORT_S = 1.0


class GoldenCheck:
    """Compares answers with the golden examples of the version that gave them.

    Args:
        store: the folder of models that the service serves.
        model: one of them.

    Raises:
        BenchmarkError: no version of the model has golden examples for its default signature.
    """

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._model = store, model
        versions = sorted(store.versions(model), reverse=True)
        self._questions = next(filter(None, map(self._instances, versions)), [])
        if not self._questions:
            raise BenchmarkError(f"{store.root / model} has no version with golden examples.")
        self._golden_answers = cache(self._read_golden_answers)

    @property
    def bodies(self) -> list[bytes]:
        """The requests to send, each for one golden example."""
        return [f'{{"instances": [{instance}]}}'.encode() for instance in self._questions]

    def is_wrong(self, answer: Answer) -> bool:
        """Whether a version answers other than its golden example; where it has none, it is not."""
        golden, wanted = self._golden_answers(answer.version)
        prediction = wanted.get(self._questions[answer.question])
        if golden is None or prediction is None:
            return False
        got = answer.prediction
        if not isinstance(got, dict):  # a model of one output answers with its bare value
            got = dict.fromkeys(prediction, got)
        return not all(agree(want, got.get(name), golden) for name, want in prediction.items())

    def _instances(self, version: int) -> list[str]:
        return list(self._read_golden_answers(version)[1])

    def _read_golden_answers(
        self, version: int
    ) -> tuple[Golden | None, dict[str, dict[str, object]]]:
        """Return a version's golden examples, and their answers by their instance."""
        folder = self._store.versions(self._model).get(version)
        golden = None if folder is None else read_golden(folder)
        examples = [] if golden is None else golden.examples
        return golden, {
            json.dumps(example.instance): dict(example.prediction)
            for example in examples
            if example.signature == DEFAULT_SIGNATURE
        }


class AnswerStatistics:
    """Counts answers, and sums them up in a line for each second and one for all."""

    def __init__(self, golden_check: GoldenCheck) -> None:
        self._golden_check = golden_check
        self._recent: list[Answer] = []
        self._last = time.monotonic()
        self.answers = self.failed = self.wrong = 0
        self.versions: list[int] = []
        self._current, self._since = 0, 0.0

    def note(self, answer: Answer) -> str:
        """Take in one answer; return a line where another version has taken over, else nothing."""
        self._recent.append(answer)
        self.answers += 1
        if answer.status != 200:
            self.failed += 1
            return ""
        self.wrong += self._golden_check.is_wrong(answer)
        if answer.version not in self.versions:
            self.versions.append(answer.version)
        # What was asked before the swap may still come from the version before it.
        if answer.version == self._current or answer.asked_at < self._since:
            return ""
        before, self._current, self._since = self._current, answer.version, time.monotonic()
        return _mark(before, self._current) if before else ""

    def line(self) -> str:
        """Return a line about the answers since the last line."""
        recent, self._recent = self._recent, []
        now = time.monotonic()
        span, self._last = now - self._last, now
        moment = _moment()
        good = [answer for answer in recent if answer.status == 200]
        if not good:
            return f"{moment}  no answer; {len(recent)} failed"
        seconds = sorted(answer.seconds for answer in good)
        p99 = seconds[math.ceil(0.99 * len(seconds)) - 1]
        versions = list(dict.fromkeys(answer.version for answer in good))
        failed = len(recent) - len(good)
        return (
            f"{moment}  {len(good) / span:7,.0f} answers/s  p50 {1e3 * _median(seconds):6.1f} ms  "
            f"p99 {1e3 * p99:6.1f} ms  {_versions(versions)}"
            f"{f'  {failed} failed' if failed else ''}"
        )

    def sum(self) -> str:
        """Return a line about all answers."""
        return (
            f"{self.answers:,} answers, {_versions(self.versions)}: {self.failed} failed, "
            f"{self.wrong} not what their version's golden examples say"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch a model; the exit status is 1 when an answer failed or was wrong."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_watch(options))
    except (BenchmarkError, RepositoryError) as error:
        print(f"benchmarks.watch: {error}", file=sys.stderr)
        return 2


async def _watch(options: argparse.Namespace) -> int:
    golden_check = GoldenCheck(Store(options.models), options.model)
    target = _target(options.url, options.model, golden_check.bodies)
    statistics = AnswerStatistics(golden_check)
    await _connect(target, options.url)
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    print(
        f"asking {options.url} for {len(golden_check.bodies)} golden examples of "
        f"{options.model} over {options.connections} connections"
        f"{f', {options.rate:g} times a second' if options.rate else ''}; Ctrl-C ends it",
        flush=True,
    )

    def on_answer(answer: Answer) -> None:
        if line := statistics.note(answer):
            bold = has_colours(sys.stdout, os.environ)
            print(styled(line, BOLD, GREEN, colours=bold), flush=True)

    clients = asyncio.create_task(
        send_requests(
            target, options.connections, lambda: not ended.is_set(), on_answer, options.rate
        )
    )
    until = math.inf if options.seconds is None else time.monotonic() + options.seconds
    while not ended.is_set():
        try:
            await asyncio.wait_for(ended.wait(), min(_REPORT_S, until - time.monotonic()))
        except TimeoutError:
            print(statistics.line(), flush=True)
        if time.monotonic() >= until:
            ended.set()
    await clients
    print(statistics.sum())
    return int(bool(statistics.failed or statistics.wrong))


def _target(url: str, model: str, bodies: list[bytes]) -> Target:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        raise BenchmarkError(f"--url must be like http://127.0.0.1:8501, not {url!r}.")
    path = f"{parts.path.rstrip('/')}/v1/models/{model}:predict"
    return Target(parts.hostname, parts.port or 80, path, bodies)


async def _connect(target: Target, url: str) -> None:
    try:
        _, writer = await asyncio.open_connection(target.host, target.port)
    except OSError as error:
        raise BenchmarkError(f"{url} takes no connection; does `make serve` run?") from error
    writer.close()


def _moment() -> str:
    return datetime.now().strftime("%H:%M:%S")


def _mark(before: int, after: int) -> str:
    words = f" version {after} took over from version {before} "
    return f"{_moment()}  {words:=^60}"


def _versions(versions: Sequence[int]) -> str:
    noun = "version" if len(versions) == 1 else "versions"
    return f"{noun} {', '.join(map(str, versions)) or 'none'}"


def _median(ordered: Sequence[float]) -> float:
    return ordered[len(ordered) // 2]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return rate


def _parser() -> argparse.ArgumentParser:
    address = f"http://{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8501')}"
    models = Path(os.environ.get("MODELS", "saved_models"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=__doc__)
    parser.add_argument("model", help="the model to ask")
    parser.add_argument("--connections", type=_count, default=16, help="clients (16)")
    parser.add_argument(
        "--rate", type=_rate, help="most requests a second; without pause if not given"
    )
    parser.add_argument("--seconds", type=float, help="how long; until Ctrl-C if not given")
    parser.add_argument("--url", default=address, help=f"the service ({address})")
    parser.add_argument("--models", type=Path, default=models, help=f"what it serves ({models})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
