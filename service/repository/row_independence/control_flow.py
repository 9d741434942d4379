"""Branches and loops."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Item,
    Known,
    Mixed,
    MixError,
    RowList,
    RowsLeft,
    Tensor,
    Turn,
    is_free,
    known,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.joins import join
from service.repository.row_independence.symbolic_sizes import ROWS, Size

_MOST_ROUNDS = 24
_loops = itertools.count()
_ZERO, _ONE, _ROWS = known(0), known(1), known(ROWS)


class FunctionCaller(Protocol):
    """Runs a graph's functions on abstract values: the interpreter, as control flow sees it.

    Attributes:
        is_over_rows: whether a loop over the rows is being followed.
    """

    is_over_rows: bool

    def call(self, name: str, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
        """Return what a function gives."""

    def unchanged(self, name: str) -> set[int]:
        """Return the arguments that a function gives back as they are, by position."""


def run_branches(
    interpreter: FunctionCaller, node: Node, arguments: Sequence[AbstractValue]
) -> list[AbstractValue]:
    """Run an ``If`` or a ``Case``.

    Raises:
        MixError: the rows together say which branch is taken.
    """
    choice, passed = arguments[0], arguments[1:]
    names = node.functions("branches") or [
        node.function("else_branch"),
        node.function("then_branch"),
    ]
    if isinstance(choice, Known) and choice.array.shape == () and is_free(choice):
        number = int(choice.array.item())
        if node.op.endswith("Case") and not 0 <= number < len(names):
            number = len(names) - 1
        return interpreter.call(names[min(number, len(names) - 1)], passed)
    if isinstance(choice, Item):
        if not all(isinstance(value, Item) or is_free(value) for value in passed):
            raise MixError("branches for one row on values of all rows")
        given = [interpreter.call(name, passed) for name in names]
        return [_as_item(value) for value in _joined(given)]
    if not is_free(choice):
        raise MixError("branches on a value of all rows together")
    return _joined([interpreter.call(name, passed) for name in names])


def _joined(given: Sequence[Sequence[AbstractValue]]) -> list[AbstractValue]:
    result = list(given[0])
    for other in given[1:]:
        result = [_try_join(a, b) for a, b in zip(result, other, strict=True)]
    return result


def _try_join(a: AbstractValue, b: AbstractValue) -> AbstractValue:
    try:
        return join(a, b)
    except MixError as error:
        return Mixed(f"Operation If {error}.")


def _as_item(value: AbstractValue) -> AbstractValue:
    if isinstance(value, Mixed | Item):
        return value
    if isinstance(value, Tensor):
        return Item(value.shape)
    return Item(None)


def run_loop(
    interpreter: FunctionCaller, node: Node, arguments: Sequence[AbstractValue]
) -> list[AbstractValue]:
    """Run a ``While``.

    Raises:
        MixError: rows meet in what it carries, or the rows together say how long it goes on.
    """
    condition, body = node.function("cond"), node.function("body")
    if any(isinstance(value, RowList) for value in arguments):
        if interpreter.is_over_rows:
            raise MixError("loops over the rows within a loop over the rows")
        interpreter.is_over_rows = True
        try:
            return _run_over_rows(interpreter, condition, body, arguments)
        finally:
            interpreter.is_over_rows = False
    return _run_rounds(interpreter, condition, body, arguments)


def _run_over_rows(
    interpreter: FunctionCaller, condition: str, body: str, arguments: Sequence[AbstractValue]
) -> list[AbstractValue]:
    """Run a loop that takes one row at a time, as ``tf.map_fn`` does.

    Its counters begin at 0, and are 1 more after each round, of which there is one a row. All
    else is the same in every round, but for the lists into which each writes its own row.
    """
    counters = {i for i, value in enumerate(arguments) if value == _ZERO}
    state: list[AbstractValue] = list(arguments)
    for _ in range(_MOST_ROUNDS):
        state = [Turn() if i in counters else value for i, value in enumerate(state)]
        given = interpreter.call(body, state)
        wrong = {i for i in counters if given[i] != Turn(1)}
        if wrong:
            counters -= wrong
            state = list(arguments)
            continue
        went_on = interpreter.call(condition, state)[0]
        if went_on != RowsLeft():
            raise MixError("loops, but not once for each row")
        return _after_rows(state, given, counters, interpreter.unchanged(body))
    raise MixError("loops in a way that cannot be followed")


def _after_rows(
    state: Sequence[AbstractValue],
    given: Sequence[AbstractValue],
    counters: set[int],
    unchanged: set[int],
) -> list[AbstractValue]:
    # That nothing else is known of a value before and after does not make it the same one.
    result: list[AbstractValue] = []
    for i, (before, after) in enumerate(zip(state, given, strict=True)):
        if i in counters:
            result.append(_ROWS)
        elif isinstance(after, Mixed):
            raise MixError(after.reason)
        elif i in unchanged or (isinstance(before, RowList) and isinstance(after, RowList)):
            result.append(after)
        else:
            raise MixError("carries values from row to row")
    return result


def _run_rounds(
    interpreter: FunctionCaller, condition: str, body: str, arguments: Sequence[AbstractValue]
) -> list[AbstractValue]:
    """Run a loop of which no row says how long it is, or which is about one row alone."""
    loop = next(_loops)

    def fresh(number: int) -> Callable[[Any], Size]:
        # The same place differs alike in every round, else there were no end.
        return lambda place: Size(1, (f"loop{loop}.{number}.{place}",))

    state = list(arguments)
    for _ in range(_MOST_ROUNDS):
        goes_on = interpreter.call(condition, state)[0]
        if isinstance(goes_on, Mixed):
            raise MixError(goes_on.reason)
        for_one = isinstance(goes_on, Item)
        if for_one and not all(isinstance(v, Item) or is_free(v) for v in state):
            raise MixError("loops for one row with values of all rows")
        if not for_one and not is_free(goes_on):
            raise MixError("loops until a value of all rows together ends it")
        given = interpreter.call(body, state)
        for value in given:
            if isinstance(value, Mixed):
                raise MixError(value.reason)
        joined = [
            join(a, b, fresh(number))
            for number, (a, b) in enumerate(zip(state, given, strict=True))
        ]
        if joined == state:
            return [_as_item(value) for value in state] if for_one else state
        state = joined
    raise MixError("loops in a way that cannot be followed")


def count_turns(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue | None:
    """Return what the arithmetic of a loop over the rows gives; ``None`` for other arithmetic."""
    match node.op, *arguments:
        case ("Add" | "AddV2", Turn(ahead=ahead), Known() as step) if step == _ONE:
            return Turn(ahead + 1)
        case ("Less", Turn(ahead=0), Known() as end) if end == _ROWS:
            return RowsLeft()
        case ("LogicalAnd", RowsLeft(), RowsLeft()):
            return RowsLeft()
    return None
