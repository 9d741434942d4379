"""Carries sets of names along the edges of a graph, through the functions that are called."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from service.repository.row_independence.graph import Graph, Node

# What is carried, such as the variables whose handle a tensor may be.
Names = frozenset[str]

NO_NAMES: Names = frozenset()
_MOST_DEPTH = 60


class FlowError(ValueError):
    """A graph cannot be followed."""


class GraphFlow(ABC):
    """What the tensors of a graph carry; subclasses say what an operation makes of it."""

    def __init__(self, graph: Graph) -> None:
        """The flow through ``graph`` and its functions."""
        self._graph = graph
        self._depth = 0
        # By function and by what its arguments carry: each is followed once.
        self._called: dict[tuple[str, tuple[Names, ...]], list[Names]] = {}

    @abstractmethod
    def outputs(self, node: Node, arguments: Sequence[Names], order: Names) -> list[Names]:
        """Return what each output of an operation carries; one set stands for all outputs.

        Args:
            node: the operation.
            arguments: what its inputs carry.
            order: what those operations carry that must run before it.
        """

    def run(
        self, nodes: Mapping[str, Node], given: dict[str, list[Names]], wanted: Iterable[str]
    ) -> None:
        """Add to ``given`` what the outputs of all operations carry that are needed.

        Args:
            nodes: the operations by their names.
            given: what is known already, by operation.
            wanted: references to the tensors that are needed.

        Raises:
            FlowError: the graph cannot be followed.
        """
        pending = [(_operation(reference), False) for reference in wanted]
        reached: set[str] = set()
        while pending:
            name, is_ready = pending.pop()
            node = nodes.get(name)
            if name in given or node is None:
                continue
            if is_ready:
                arguments = [_carried(given, reference) for reference in node.inputs]
                before = (each for name in node.controls for each in given.get(name, ()))
                given[name] = self.outputs(node, arguments, NO_NAMES.union(*before))
            elif name not in reached:
                reached.add(name)
                pending.append((name, True))
                pending += [(_operation(reference), False) for reference in node.inputs]
                pending += [(control, False) for control in node.controls]

    def call(self, name: str, arguments: Sequence[Names]) -> list[Names]:
        """Return what the results of a function carry.

        Raises:
            FlowError: there is no such function, or functions call one another too deeply.
        """
        key = (name, tuple(arguments))
        if key not in self._called:
            function = self._graph.function(name)
            if function is None or self._depth > _MOST_DEPTH:
                raise FlowError(f"{name} cannot be followed")
            given = {
                parameter: [names]
                for parameter, names in zip(function.parameters, arguments, strict=True)
            }
            self._depth += 1
            # All of it: within a function, what no result needs may run as well.
            self.run(function.nodes, given, function.nodes)
            self._depth -= 1
            self._called[key] = [_carried(given, reference) for reference in function.results]
        return self._called[key]


def _operation(reference: str) -> str:
    return reference.partition(":")[0]


def _carried(given: Mapping[str, Sequence[Names]], reference: str) -> Names:
    """Return what the tensor carries that a reference names."""
    outputs = given.get(_operation(reference), [NO_NAMES])
    if len(outputs) == 1:
        return outputs[0]
    # Only calls have outputs that differ; functions write those "name:output:0".
    number = reference.rpartition(":")[2]
    if not outputs:
        return NO_NAMES
    return outputs[int(number) if number.isdecimal() and ":" in reference else 0]
