"""Abstract interpretation of a graph: from what its inputs are to what its outputs are.

Each operation is run once (loops, until nothing changes) on abstract values in place of tensors.
An operation without a rule is not known to keep rows apart; one whose inputs do not depend on the
rows gives what does not either; and within a loop over the rows, what is made of the row whose
turn it is alone depends on that row alone, whatever is done with it. What must run beside the
outputs (assertions, checks, whatever operations wait for) is run too: were it to look at several
rows, parts of a request could pass where all of it is refused.
"""

import contextlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from service.repository.row_independence import control_flow
from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Item,
    Known,
    Mixed,
    MixError,
    Shape,
    Tensor,
    VariableHandle,
    as_tensor,
    is_free,
)
from service.repository.row_independence.graph import Function, Graph, Node
from service.repository.row_independence.rules import RULES
from service.repository.row_independence.shape_arithmetic import fold_constants
from service.repository.row_independence.stateless_operations import CALLS, CHECKS, PURE, READING

# Beyond that, a graph is not worth the time: it counts as not known.
_MOST_STEPS = 200_000
_MOST_DEPTH = 40

# What an operation gives: one value an output, or one for all of them.
Given = AbstractValue | list[AbstractValue]


class TooLargeError(Exception):
    """The graph takes more steps than an analysis may."""


@dataclass
class Frame:
    """One run of a function, or of the graph outside of all functions.

    Attributes:
        nodes: its operations by name.
        arguments: what is known of its parameters, by name.
        is_function: whether references are written as functions write them.
        given: what its operations gave, as far as they have run.
    """

    nodes: Mapping[str, Node]
    arguments: Mapping[str, AbstractValue]
    is_function: bool
    given: dict[str, Given] = field(default_factory=dict)

    def names(self, reference: str) -> str:
        return reference.partition(":")[0]

    def value(self, reference: str) -> AbstractValue:
        name, _, rest = reference.partition(":")
        if name in self.arguments:
            return self.arguments[name]
        given = self.given.get(name)
        if given is None:
            return Mixed(f"{name} is not there")
        if not isinstance(given, list):
            return given
        if self.is_function:
            output, _, number = rest.partition(":")
            index = self.nodes[name].offset(output) + int(number or 0)
        else:
            index = int(rest or 0)
        return given[index] if index < len(given) else Mixed(f"{name} has no output {index}")


class Interpreter:
    """Runs a graph on abstract values."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._steps = 0
        self._depth = 0
        self._side_effects: dict[str, str] = {}
        # Whether a loop over the rows runs: within it, a turn means one row and no other.
        self.is_over_rows = False

    @property
    def steps(self) -> int:
        """How many operations have run."""
        return self._steps

    def run(
        self, outputs: Sequence[str], arguments: Mapping[str, AbstractValue]
    ) -> list[AbstractValue]:
        """Return what the outputs are, given what the placeholders are.

        Raises:
            TooLargeError: that would take too long.
        """
        frame = Frame(self._graph.nodes, arguments, is_function=False)
        reached = self._run_nodes(frame, outputs)
        for name in reached:
            reason = self._effect_of(frame.nodes[name])
            if reason:
                return [Mixed(reason)] * len(outputs)
        obstacle = _obstacle_beside(frame, reached)
        if obstacle is not None:
            return [obstacle] * len(outputs)
        return [frame.value(reference) for reference in outputs]

    def call(self, name: str, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
        """Return what a function of the library gives.

        Raises:
            MixError: there is no such function, or it has side effects, or what runs beside its
                results mixes rows.
            TooLargeError: it takes too long.
        """
        function = self._graph.function(name)
        if function is None or len(function.parameters) != len(arguments):
            raise MixError(f"calls {name}, which cannot be followed")
        reason = self._effects_in(function)
        if reason:
            raise MixError(reason)
        if self._depth > _MOST_DEPTH:
            raise TooLargeError("its functions call one another too deeply")
        frame = Frame(
            function.nodes, dict(zip(function.parameters, arguments, strict=True)), is_function=True
        )
        self._depth += 1
        try:
            beside = [*function.controls, *_run_anyway(function)]
            reached = self._run_nodes(frame, [*function.results, *beside])
        finally:
            self._depth -= 1
        obstacle = _obstacle_beside(frame, reached, beside)
        if obstacle is not None:
            raise MixError(obstacle.reason)
        return [frame.value(reference) for reference in function.results]

    def unchanged(self, name: str) -> set[int]:
        """Return which parameters a function gives back as the results of the same number."""
        function = self._graph.function(name)
        found = set()
        for number, reference in enumerate(function.results if function else ()):
            source = reference.partition(":")[0]
            while function and source in function.nodes and function.nodes[source].op == "Identity":
                source = function.nodes[source].inputs[0].partition(":")[0]
            if function and source == function.parameters[number]:
                found.add(number)
        return found

    def _run_nodes(self, frame: Frame, wanted: Sequence[str]) -> set[str]:
        """Run what the wanted outputs need, in order; return the names of all that they need."""
        reached: set[str] = set()
        pending = [(frame.names(reference), False) for reference in reversed(wanted)]
        while pending:
            name, is_ready = pending.pop()
            node = frame.nodes.get(name)
            if name in frame.arguments or node is None:
                continue
            if is_ready:
                if name not in frame.given:
                    frame.given[name] = self._run_node(frame, node)
                continue
            if name in reached:
                continue
            reached.add(name)
            pending.append((name, True))
            pending += [(frame.names(reference), False) for reference in node.inputs]
            pending += [(control_flow, False) for control_flow in node.controls]
        return reached

    def _run_node(self, frame: Frame, node: Node) -> Given:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise TooLargeError("it has too many operations")
        arguments = [frame.value(reference) for reference in node.inputs]
        if node.op == "Assert":
            # All that follows the condition is for the message.
            return _asserted(node, arguments[0])
        for argument in arguments:
            if isinstance(argument, Mixed):
                return argument
        try:
            return self._give(node, arguments)
        except MixError as error:
            return Mixed(_with_operation(node, str(error)))

    def _give(self, node: Node, arguments: list[AbstractValue]) -> Given:
        if node.op in CALLS:
            return self._run_call(node, arguments)
        if node.op not in PURE and node.op not in READING:
            raise MixError("is not known to keep rows apart")
        leaf = _leaf(node, arguments)
        if leaf is not None:
            return leaf
        if arguments and all(isinstance(argument, Known) for argument in arguments):
            folded = fold_constants(node, [a for a in arguments if isinstance(a, Known)])
            if folded is not None:
                return folded
        if all(is_free(argument) for argument in arguments):
            return _given_free(node, arguments)
        if any(isinstance(argument, Item) for argument in arguments) and all(
            isinstance(argument, Item) or is_free(argument) for argument in arguments
        ):
            return Item(_item_shape(node, arguments))
        counted = control_flow.count_turns(node, arguments)
        if counted is not None:
            return counted
        rule = RULES.get(node.op)
        if rule is None:
            raise MixError("is not known to keep rows apart")
        return rule(node, arguments)

    def _run_call(self, node: Node, arguments: list[AbstractValue]) -> Given:
        if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
            return self.call(node.function("f"), arguments)
        if node.op in ("While", "StatelessWhile"):
            return control_flow.run_loop(self, node, arguments)
        return control_flow.run_branches(self, node, arguments)

    def _effects_in(self, function: Function) -> str:
        if function.name not in self._side_effects:
            self._side_effects[function.name] = ""  # a function that calls itself adds nothing
            reasons = (self._effect_of(node) for node in function.nodes.values())
            self._side_effects[function.name] = next(filter(None, reasons), "")
        return self._side_effects[function.name]

    def _effect_of(self, node: Node) -> str:
        """Return what a node does beside giving its outputs; empty where it does nothing."""
        if node.op in PURE or node.op in READING:
            return ""
        if node.op not in CALLS:
            return _with_operation(node, "changes state outside of the request, or is not known")
        names = [node.function(key) for key in ("f", "body", "cond", "then_branch", "else_branch")]
        for name in [*names, *node.functions("branches")]:
            function = self._graph.function(name) if name else None
            if function is not None and (reason := self._effects_in(function)):
                return reason
        return ""


def _run_anyway(function: Function) -> list[str]:
    """Return the operations of a function that run whether or not a result needs them."""
    return [
        name for name, node in function.nodes.items() if node.op not in PURE or node.op in CHECKS
    ]


def _obstacle_beside(
    frame: Frame, reached: Iterable[str], beside: Iterable[str] = ()
) -> Mixed | None:
    """Return what mixes rows among all that runs beside the outputs; ``None`` where nothing does.

    Args:
        frame: in which the operations have run.
        reached: their names.
        beside: those that run without being waited for.
    """
    waited_for = (control_flow for name in reached for control_flow in frame.nodes[name].controls)
    for name in itertools.chain(beside, waited_for):
        given = frame.given.get(name)
        if isinstance(given, Mixed):
            return given
    return None


def _asserted(node: Node, condition: AbstractValue) -> AbstractValue:
    if isinstance(condition, Mixed) or is_free(condition) or isinstance(condition, Item):
        return condition
    return Mixed(_with_operation(node, "rejects a request by a value of all rows together"))


def _leaf(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue | None:
    """Return what begins a graph: constants, variables, tables."""
    match node.op:
        case "Const":
            return node.value()
        case "VarHandleOp":
            return VariableHandle(node.shape("shape"))
        case "ReadVariableOp":
            handle = arguments[0]
            return Tensor(handle.shape if isinstance(handle, VariableHandle) else None)
        case "Placeholder" | "PlaceholderWithDefault":
            raise MixError("is not fed by an input of the signature")
        case "DisableCopyOnRead" | "Identity":
            return arguments[0] if arguments else Tensor(None)
    return None


def _given_free(node: Node, arguments: Sequence[AbstractValue]) -> Given:
    """Return a value that depends on no row, with what is known of its shape."""
    rule = RULES.get(node.op)
    if rule is not None:
        with contextlib.suppress(MixError, ValueError, IndexError, AssertionError):
            given = rule(node, arguments)
            if all(map(is_free, given if isinstance(given, list) else [given])):
                return given
    shapes = node.shapes("_output_shapes")
    whole = [s if s and all(size.known is not None for size in s) else None for s in shapes]
    return [Tensor(shape) for shape in whole] if len(whole) > 1 else Tensor(next(iter(whole), None))


def _item_shape(node: Node, arguments: Sequence[AbstractValue]) -> Shape | None:
    """Return the shape of what is made of one row, as far as rules for tensors know it."""
    if node.op == "EnsureShape":
        return node.shape("shape")
    rule = RULES.get(node.op)
    if rule is None or node.op.startswith("TensorList"):
        return None
    plain = [Tensor(a.shape) if isinstance(a, Item) else a for a in arguments]
    with contextlib.suppress(MixError, ValueError, IndexError, AssertionError):
        given = rule(node, plain)
        if isinstance(given, Tensor):
            return given.shape
        if isinstance(given, Known):
            return as_tensor(given).shape
    return None


def _with_operation(node: Node, reason: str) -> str:
    """Name the operation, once: a reason from within a function names one already."""
    return reason if reason.startswith("Operation ") else f"Operation {node.op} {reason}."
