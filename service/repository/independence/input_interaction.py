"""Whether the inputs of a signature meet anywhere: in an output, or in any operation on the way.

Inputs that never meet need not have equally many rows. Only graphs that are proved to keep rows
apart are asked about: they have no side effects, so that what flows from one operation to another
flows along their edges.
"""

from collections.abc import Iterable, Mapping, Sequence

from service.repository.independence.graph import Graph, Node

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")

# The inputs that a tensor hangs on.
Origins = frozenset[str]

_NONE: Origins = frozenset()


class _MeetError(Exception):
    """An operation takes what hangs on two inputs."""


def inputs_meet(graph: Graph, outputs: Sequence[str], inputs: Iterable[str]) -> bool:
    """Return whether any operation that the outputs need hangs on two of the inputs.

    A loop or a branch counts as one operation, and the order in which operations must run as if
    values flowed that way.

    Args:
        graph: of a signature whose rows are proved to be independent.
        outputs: the names of its outputs' tensors.
        inputs: the names of the operations that it feeds.
    """
    walk = _Walk(graph)
    try:
        walk.run(graph.nodes, {name: (frozenset([name]),) for name in inputs}, outputs)
    except _MeetError:
        return True
    return False


class _Walk:
    """Follows tensors from the inputs on, through the functions that are called."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        # By function and by what its arguments hang on: each is walked once.
        self._called: dict[tuple[str, tuple[Origins, ...]], tuple[Origins, ...]] = {}

    def run(
        self,
        nodes: Mapping[str, Node],
        given: dict[str, tuple[Origins, ...]],
        wanted: Iterable[str],
        *,
        is_function: bool = False,
    ) -> None:
        """Add to ``given`` what the outputs of all operations hang on that are needed."""
        pending = [(_name(reference), False) for reference in wanted]
        reached: set[str] = set()
        while pending:
            name, is_ready = pending.pop()
            node = nodes.get(name)
            if name in given or node is None:
                continue
            if is_ready:
                given[name] = self._origins(given, node, is_function)
            elif name not in reached:
                reached.add(name)
                pending.append((name, True))
                pending += [(_name(reference), False) for reference in node.inputs]
                pending += [(control, False) for control in node.controls]

    def _origins(
        self,
        given: Mapping[str, tuple[Origins, ...]],
        node: Node,
        is_function: bool,
    ) -> tuple[Origins, ...]:
        arguments = tuple(_of(given, ref, is_function) for ref in node.inputs)
        order = _NONE.union(*(each for name in node.controls for each in given.get(name, ())))
        if node.op in _CALLS:
            results = self._call(node.function("f"), arguments)
            return tuple(_single(each | order) for each in results) or (order,)
        return (_single(order.union(*arguments)),)

    def _call(self, name: str, arguments: tuple[Origins, ...]) -> tuple[Origins, ...]:
        found = self._called.get((name, arguments))
        if found is None:
            function = self._graph.function(name)
            if function is None:
                raise _MeetError
            given: dict[str, tuple[Origins, ...]] = {
                parameter: (origins,)
                for parameter, origins in zip(function.parameters, arguments, strict=True)
            }
            # All of it: within a function, what no result needs may run as well.
            self.run(function.nodes, given, function.nodes, is_function=True)
            found = tuple(_of(given, ref, True) for ref in function.results)
            self._called[name, arguments] = found
        return found


def _name(reference: str) -> str:
    return reference.partition(":")[0]


def _of(
    given: Mapping[str, tuple[Origins, ...]],
    reference: str,
    is_function: bool,
) -> Origins:
    """Return what the tensor hangs on that a reference names."""
    name, _, rest = reference.partition(":")
    origins = given.get(name, (_NONE,))
    if len(origins) == 1:
        return origins[0]
    # Only calls have outputs that hang on different inputs; functions write those "name:output:0".
    number = rest.rpartition(":")[2] if is_function else rest
    return origins[int(number or 0)]


def _single(origins: Origins) -> Origins:
    if len(origins) > 1:
        raise _MeetError
    return origins
