"""Trains a fleet in processes of this machine, some at a time."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from training.fleet.fleet_file import Member
from training.fleet.member_training import FAILED, MemberVerdict, train_member

LOG = "training.log"
_PRELOADED = "training.fleet.preloaded"
# Seconds for which an interrupted training may write its checkpoint.
_END_S = 30.0


@dataclass(frozen=True, slots=True)
class _Running:
    member: Member
    process: ForkServerProcess
    verdict: Connection


def train_here(members: Sequence[Member], folder: Path, jobs: int) -> Iterator[MemberVerdict]:
    """Train members, each in a process of its own; yield verdicts as they come.

    What a training prints goes into ``folder/<member>/training.log``. Where the iterator is left
    early, what runs is interrupted, so that it can go on later.

    Args:
        members: whom.
        folder: the fleet's.
        jobs: how many are trained at a time.
    """
    waiting = list(reversed(members))
    running: list[_Running] = []
    with ExitStack() as stack:
        stack.callback(_interrupt, running)
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(waiting.pop(), folder))
            ended = set(wait([each.process.sentinel for each in running]))
            for each in [each for each in running if each.process.sentinel in ended]:
                running.remove(each)
                yield _verdict(each)


def _start(member: Member, folder: Path) -> _Running:
    # Forks of a process that has imported TensorFlow, which takes seconds, and has run none of its
    # operations: after the first a forked child hangs.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    here, there = context.Pipe()
    work = (member, folder, Path.cwd(), there)
    process = context.Process(target=_work, args=work, name=member.name)
    process.start()
    there.close()
    return _Running(member, process, here)


def _work(member: Member, folder: Path, start: Path, conductor: Connection) -> None:
    # A session of its own: Ctrl-C reaches the conductor alone, which passes it on.
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt_when_gone, args=(conductor,), daemon=True).start()
    # Relative paths of data and models count from here.
    os.chdir(start)
    try:
        _print_into(folder / member.name)
    except OSError as error:
        why = f"Its log cannot be written: {error.strerror}: {error.filename}."
        conductor.send(MemberVerdict(member.name, FAILED, why, None, 0.0))
        return
    try:
        conductor.send(train_member(member, folder))
    except KeyboardInterrupt:
        sys.exit(130)


def _print_into(own: Path) -> None:
    """Let what this process prints go into the log in a folder, whatever a terminal can write."""
    own.mkdir(parents=True, exist_ok=True)
    log = (own / LOG).open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
    # Of libraries as well, which write to the descriptors.
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = log


def interrupt_when_gone(conductor: Connection) -> None:
    """Interrupt this process, as by Ctrl-C, once the process that started it has ended.

    Otherwise the training would continue, and hold the lock that a continued fleet needs.
    """
    # The conductor says nothing; what can be read is the end.
    conductor.poll(None)
    os.kill(os.getpid(), signal.SIGINT)


def _verdict(ended: _Running) -> MemberVerdict:
    ended.process.join()
    try:
        verdict: MemberVerdict = ended.verdict.recv()
    except EOFError:
        code = ended.process.exitcode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"
        verdict = MemberVerdict(
            ended.member.name, FAILED, f"Its process was ended {how}.", None, 0.0
        )
    finally:
        ended.verdict.close()
    return verdict


def _interrupt(running: Sequence[_Running]) -> None:
    """Ask trainings to end between two batches; kill those that do not."""
    for each in running:
        if each.process.pid is not None and each.process.is_alive():
            os.kill(each.process.pid, signal.SIGINT)
    for each in running:
        each.process.join(_END_S)
        if each.process.is_alive():
            each.process.kill()
            each.process.join()
        each.verdict.close()
