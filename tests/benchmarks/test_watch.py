"""What ``make watch`` says of answers, and how often it asks."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import steady_clients
from benchmarks.steady_clients import Answer, Target, send_requests
from benchmarks.watch import AnswerStatistics


class Trusting:
    """A check to which every answer is right."""

    def is_wrong(self, answer: Answer) -> bool:
        return False


def answered(version: int, asked_at: float = 0.0) -> Answer:
    return Answer(asked_at, 0.01, 0, 0, 200, version, {})


def test_a_swap_is_marked_once_and_late_answers_are_none() -> None:
    statistics = AnswerStatistics(Trusting())  # type: ignore[arg-type]
    assert statistics.note(answered(1, time.monotonic())) == ""
    assert statistics.note(answered(1, time.monotonic())) == ""
    before = time.monotonic()
    mark = statistics.note(answered(2, time.monotonic()))
    assert mark[8:].strip() == "============ version 2 took over from version 1 ============"
    assert statistics.note(answered(1, before)) == "", "it was asked before the swap"
    assert statistics.note(answered(2, time.monotonic())) == ""
    assert "version 1 took over from version 2" in statistics.note(answered(1, time.monotonic()))
    assert statistics.versions == [1, 2]


def test_a_rate_is_kept_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By a clock of its own, which goes on by what is waited for."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(steady_clients, "time", SimpleNamespace(monotonic=lambda: now))
    loop = SimpleNamespace(**{**vars(asyncio), "sleep": sleep, "open_connection": refuse})
    monkeypatch.setattr(steady_clients, "asyncio", loop)
    answers: list[Answer] = []
    target = Target("127.0.0.1", 1, "/", [b""])
    asyncio.run(send_requests(target, 1, lambda: now < 10, answers.append, rate=2))
    assert [round(answer.asked_at, 6) for answer in answers] == [i / 2 for i in range(20)]
