"""Whatever fails between a request's arrival and its answer, the signature goes on for the others."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.errors import ServiceError, UnavailableError
from service.runtime import batching
from service.runtime.batching import Batcher
from service.runtime.execution import Execution
from tests.service.runtime.test_batching import Stage

_ERRORS = [AttributeError, MemoryError, RuntimeError, KeyboardInterrupt, SystemExit]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


@pytest.fixture(params=[True, False], ids=["here", "own thread"])
def stage(
    pool: ThreadPoolExecutor, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    # Calls that are held up are slow; they shall run where they are asked for all the same.
    monkeypatch.setattr(Execution, "is_quick", lambda self, rows: request.param)
    return Stage(pool)


class _Once:
    """Fails once, and then does what it stands for."""

    def __init__(self, error: type[BaseException], real: Callable[..., Any]) -> None:
        self.error = error
        self.real = real
        self.has_failed = False

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if not self.has_failed:
            self.has_failed = True
            raise self.error("as asked")
        return self.real(*arguments, **named)


def _check_that_all_ends(stage: Stage, failing: _Once, requests: int = 4) -> None:
    """Ask while the model is held up, let it go, and see that everybody is told something."""
    futures = stage.ask_all(*[(float(number),) for number in range(1, requests + 1)])
    stage.model.go.set()
    for future in futures:
        error = future.exception(10)
        assert error is None or isinstance(error, (*_ERRORS, ServiceError))
    assert failing.has_failed
    assert stage.ask(3).result(10) == [6]
    assert not stage.batcher._waiting
    _until(lambda: not stage.batcher._busy)


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.001)
    pytest.fail("It did not come true.")


@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize("step", ["_fill", "_answer", "_attempt", "_timed"])
def test_a_step_that_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, step: str, error: type[BaseException]
) -> None:
    real = getattr(stage.batcher, step)
    failing = _Once(error, real)
    entered = threading.Event()

    def later(*arguments: Any) -> Any:
        # The first call is the one that holds the others up.
        return failing(*arguments) if entered.is_set() else real(*arguments)

    monkeypatch.setattr(stage.batcher, step, later)
    if step == "_attempt":
        monkeypatch.setattr(batching, "_joined", lambda batch: {}["none"])
    futures = stage.ask_all((1,), (2,), (3,))
    entered.set()
    stage.model.go.set()
    for future in futures:
        problem = future.exception(10)
        assert problem is None or isinstance(problem, (*_ERRORS, ServiceError))
    assert failing.has_failed
    assert stage.ask(3).result(10) == [6]
    _until(lambda: not stage.batcher._busy)


@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize("step", ["_joined", "_divide", "_has_rows"])
def test_a_helper_that_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, step: str, error: type[BaseException]
) -> None:
    failing = _Once(error, getattr(batching, step))
    monkeypatch.setattr(batching, step, failing)
    _check_that_all_ends(stage, failing)


@pytest.mark.parametrize("error", [AttributeError, MemoryError, OSError])
def test_a_batch_that_cannot_be_counted_is_answered_all_the_same(
    stage: Stage, error: type[BaseException]
) -> None:
    stage.batcher._note_batch = _Once(error, lambda rows, seconds: None)
    futures = stage.ask_all((1,), (2,))
    stage.model.go.set()
    assert [future.result(10) for future in futures] == [[200], [2], [4]]


@pytest.mark.parametrize("error", _ERRORS)
def test_a_model_that_raises_anything(stage: Stage, error: type[BaseException]) -> None:
    """Also what is no ``Exception``; the first request, which nobody waits behind, and a batch."""
    model = stage.batcher._call
    stage.batcher._call = failing = _Once(error, model)
    assert isinstance(stage.ask(1).exception(10), (error, ServiceError))
    failing.has_failed = True
    stage.model.entered = threading.Semaphore(0)
    futures = stage.ask_all((1,), (2,))
    failing.has_failed = False
    stage.model.go.set()
    for future in futures:
        future.exception(10)
    assert stage.ask(3).result(10) == [6]


@pytest.mark.parametrize("error", _ERRORS)
def test_a_client_check_that_fails_gives_its_ticket_up(
    stage: Stage, error: type[BaseException]
) -> None:
    futures = stage.ask_all((1,))

    def is_gone() -> bool:
        raise error("as asked")

    doubtful = stage.ask(66, is_gone=is_gone)
    with pytest.raises(error):
        doubtful.result(10)
    stage.until_waiting(1)
    stage.model.go.set()
    assert [future.result(10) for future in futures] == [[200], [2]]
    assert 66 not in {value for batch in stage.model.batches for value in batch}


@pytest.mark.parametrize("error", _ERRORS)
def test_a_client_check_that_fails_in_the_leader_to_be(
    stage: Stage, error: type[BaseException]
) -> None:
    """It is made the leader at the moment at which it looks for its client."""
    stage.model.go.clear()
    first = stage.ask(100)
    assert stage.model.entered.acquire(timeout=10)
    looks, go_on = threading.Event(), threading.Event()

    def is_gone() -> bool:
        looks.set()
        assert go_on.wait(10)
        raise error("as asked")

    doubtful = stage.ask(1, is_gone=is_gone)
    stage.until_waiting(1)
    assert looks.wait(10)
    second = stage.ask(2)
    stage.until_waiting(2)
    stage.model.go.set()
    assert first.result(10) == [200]
    go_on.set()
    with pytest.raises((error, ServiceError)):
        doubtful.result(10)
    assert second.result(10) == [4]
    assert stage.ask(3).result(10) == [6]


@pytest.mark.parametrize("error", _ERRORS)
@pytest.mark.parametrize("where", ["threads", "hold"])
def test_a_thread_that_cannot_be_had(
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    where: str,
) -> None:
    stage = Stage(pool, is_bounded=False)
    if where == "hold":
        failing = _Once(error, lambda: None)
        stage.batcher._hold = failing
    else:
        failing = _Once(error, batching.THREADS.run)
        monkeypatch.setattr(batching.THREADS, "run", failing)
    with pytest.raises((error, UnavailableError)):
        stage.ask(1).result(10)
    _check_that_all_ends(stage, failing)


def test_what_is_held_is_let_go(pool: ThreadPoolExecutor) -> None:
    held: list[int] = []
    stage = Stage(
        pool, is_bounded=False, hold=lambda: held.append(1), let_go=lambda: held.append(-1)
    )
    futures = stage.ask_all((1,), (-2,))
    assert sum(held) == 1
    stage.model.go.set()
    for future in futures:
        future.exception(10)
    _until(lambda: sum(held) == 0)
    assert isinstance(stage.batcher, Batcher)
