"""Whether the inputs of a signature meet anywhere: in an output, or in any operation on the way.

Inputs that never meet need not have equally many rows. Only graphs that are proved to keep rows
apart are asked about: they have no side effects, so that what flows from one operation to another
flows along their edges.
"""

from collections.abc import Iterable, Sequence

from service.repository.row_independence.graph import Graph, Node
from service.repository.row_independence.graph_flow import FlowError, GraphFlow, Names

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def inputs_meet(graph: Graph, outputs: Sequence[str], inputs: Iterable[str]) -> bool:
    """Return whether any operation that the outputs need hangs on two of the inputs.

    A loop or a branch counts as one operation, and the order in which operations must run as if
    values flowed that way.

    Args:
        graph: of a signature whose rows are proved to be independent.
        outputs: the names of its outputs' tensors.
        inputs: the names of the operations that it feeds.
    """
    flow = _OriginFlow(graph)
    try:
        flow.run(graph.nodes, {name: [frozenset([name])] for name in inputs}, outputs)
    except FlowError:
        return True
    return False


class _OriginFlow(GraphFlow):
    """Follows tensors from the inputs on; a tensor carries the inputs that it depends on.

    It cannot be followed further than to an operation that depends on two inputs.
    """

    def outputs(self, node: Node, arguments: Sequence[Names], order: Names) -> list[Names]:
        if node.op in _CALLS:
            results = self.call(node.function("f"), arguments)
            return [_single(each | order) for each in results] or [order]
        return [_single(order.union(*arguments))]


def _single(names: Names) -> Names:
    if len(names) > 1:
        raise FlowError("Two inputs meet.")
    return names
