"""The command: ``python -m benchmarks``."""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

import benchmarks
from benchmarks import document, machine
from benchmarks.cases import all_case_names, build_cases
from benchmarks.contestants import CONTESTANTS, peer_versions
from benchmarks.errors import BenchmarkError
from benchmarks.load import require_wrk
from benchmarks.models import SENTIMENT, assemble, golden_of, latest_version
from benchmarks.process import ROOT, exit_on_sigterm
from benchmarks.review import with_long_review
from benchmarks.rounds import Plan, Run
from benchmarks.table import Circumstances, render
from service.settings.usable_cores import usable_cores


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the process's exit status, 1 when anything failed."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    if options.list:
        print(*all_case_names(), sep="\n")
        return 0
    wrk = require_wrk()
    if options.write:
        document.check(options.write)
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        models, scratch = Path(folder, "models"), Path(folder, "scratch")
        scratch.mkdir()
        golden = {name: golden_of(models, name) for name in assemble(options.models, models)}
        if SENTIMENT in golden:
            version = latest_version(models, SENTIMENT)
            golden[SENTIMENT] = with_long_review(golden[SENTIMENT], version)
        wanted = _matching(all_case_names(), options.cases)
        cases = build_cases(golden, wanted)
        asked = [CONTESTANTS[name] for name in _matching(CONTESTANTS, options.servers)]
        found = {server.name: server.python(options.peers) for server in asked}
        pythons = {name: python for name, python in found.items() if python is not None}
        contestants = [server for server in asked if server.name in pythons]
        peers = [peer_versions(server, pythons[server.name]) for server in contestants]
        plan = Plan(
            cases=cases,
            contestants=contestants,
            pythons=pythons,
            rounds=options.rounds,
            seconds=options.seconds,
            workers=options.workers,
            models=models,
            scratch=scratch,
        )
        results = Run(plan, _say)()
    measured = {case.name for case in cases}
    results.failures += [
        f"{name}: there is no such model." for name in wanted if name not in measured
    ]
    circumstances = Circumstances(
        command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        date=f"{started:%Y-%m-%d %H:%M} UTC",
        machine=machine.machine(),
        versions="; ".join([machine.versions(f"wrk {wrk}"), *filter(None, peers)]),
        commit=machine.commit(),
        how=(
            f"Rounds: {plan.rounds}; seconds a measurement: {plan.seconds}; "
            f"worker processes of each server: {plan.workers}"
        ),
        not_run=[name for name, python in found.items() if python is None],
    )
    report = render(results, cases, contestants, circumstances)
    print(report)
    if options.write:
        document.write(options.write, report)
    return 1 if results.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=benchmarks.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--cases", nargs="+", default=["*"], metavar="NAME", help="cases to run, wildcards allowed"
    )
    parser.add_argument(
        "--servers", nargs="+", default=["*"], metavar="NAME", help=f"of {', '.join(CONTESTANTS)}"
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="FOLDER",
        help="where the environments of mosec and pytriton are, as docs/performance.md makes them",
    )
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--rounds", type=_positive, default=3, help="turns of each server")
    parser.add_argument("--seconds", type=_positive, default=3, help="length of a measurement")
    parser.add_argument(
        "--workers", type=_positive, default=usable_cores(), help="worker processes of each server"
    )
    parser.add_argument(
        "--models", type=Path, default=ROOT / "saved_models", help="folder of the models to serve"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="document to put the report into"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, not {text!r}")
    return int(text)


def _matching(names: Collection[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that match any pattern, in their own order.

    Raises:
        BenchmarkError: a pattern matches nothing, so it is a mistake.
    """
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in names):
            raise BenchmarkError(f"{pattern!r} is not one of {', '.join(names)}.")
    return [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]


def _say(line: str) -> None:
    print(f"[{datetime.now(UTC):%H:%M:%S}] {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
