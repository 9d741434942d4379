"""Whether a graph is certain to terminate: it has no loop and waits for nothing."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

# TensorFlow's loops: functional ones, and the frames that older graphs are made of.
_LOOPS = frozenset(
    ("While", "StatelessWhile", "_While", "For", "Enter", "RefEnter", "LoopCond", "NextIteration")
)
# Of what they read there may be no end, or it may never come.
_SOURCES = ("Dataset", "Iterator", "Queue", "PyFunc", "Recv", "Barrier", "Mutex", "Stage")
# Operations with state are those that may wait for something or call out of TensorFlow; of these
# it is known that they do neither.
_QUICK = frozenset(
    (
        *("AssignAddVariableOp", "AssignSubVariableOp", "AssignVariableOp", "DestroyResourceOp"),
        *("DisableCopyOnRead", "ReadVariableOp", "ResourceGather", "ResourceGatherNd"),
        *("VarHandleOp", "VarIsInitializedOp", "Variable", "VariableV2", "VariableShape"),
        *("HashTable", "HashTableV2", "LookupTableFind", "LookupTableFindV2"),
        *("LookupTableSize", "LookupTableSizeV2", "MutableHashTableV2", "AnonymousHashTable"),
        *("InitializeTable", "InitializeTableV2", "InitializeTableFromTextFileV2"),
        *("LookupTableImport", "LookupTableImportV2"),
        *("Assert", "Print", "PrintV2", "If", "Case", "StatefulPartitionedCall"),
        *("Multinomial", "RandomGamma", "RandomPoissonV2", "RandomShuffle", "RandomStandardNormal"),
        *("RandomUniform", "RandomUniformInt", "TruncatedNormal", "RngReadAndSkip"),
        *("StatefulStandardNormalV2", "StatefulTruncatedNormal", "StatefulUniform"),
        *("StatefulUniformFullInt", "StatefulUniformInt"),
        *("TensorArrayV3", "TensorArrayGradV3", "StackV2", "StackPushV2", "StackPopV2"),
    )
)


def is_bounded(
    graph: Any, outputs: Iterable[str], is_stateful: Callable[[str], bool | None]
) -> bool:
    """Whether what computes ``outputs`` runs no operation more than once, and waits for none.

    Unknown operations count as unbounded.

    Args:
        graph: a ``GraphDef``, with its library of functions.
        outputs: names of tensors ("x:0").
        is_stateful: whether an operation has state; ``None`` when there is no such operation.
    """
    return _Walk(graph, is_stateful).is_bounded(outputs)


class _Walk:
    def __init__(self, graph: Any, is_stateful: Callable[[str], bool | None]) -> None:
        self._nodes = {node.name: node for node in graph.node}
        self._functions = {f.signature.name: f for f in graph.library.function}
        self._is_stateful = is_stateful
        # Functions that have been found bounded; and those that are being looked at, to find
        # such as call themselves.
        self._bounded: set[str] = set()
        self._open: set[str] = set()

    def is_bounded(self, outputs: Iterable[str]) -> bool:
        try:
            return all(map(self._node_is_bounded, self._reached(outputs)))
        except RecursionError:  # Of functions that call one another very deeply.
            return False

    def _reached(self, outputs: Iterable[str]) -> Iterator[Any]:
        left, seen = [_operation(name) for name in outputs], set()
        while left:
            name = left.pop()
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            node = self._nodes[name]
            yield node
            left += map(_operation, node.input)

    def _node_is_bounded(self, node: Any) -> bool:
        kind = node.op
        called = [kind] if kind in self._functions else []
        if not called:
            stateful = self._is_stateful(kind)
            if stateful is None or (stateful and kind not in _QUICK):
                return False
            if kind in _LOOPS or any(source in kind for source in _SOURCES):
                return False
        for attribute in node.attr.values():
            called += [f.name for f in (attribute.func, *attribute.list.func) if f.name]
        return all(map(self._function_is_bounded, called))

    def _function_is_bounded(self, name: str) -> bool:
        if name in self._bounded:
            return True
        if name in self._open or name not in self._functions:
            return False
        self._open.add(name)
        bounded = all(map(self._node_is_bounded, self._functions[name].node_def))
        self._open.discard(name)
        if bounded:
            self._bounded.add(name)
        return bounded


def _operation(name: str) -> str:
    """Return the operation that a tensor, or a control input, comes from."""
    return name.removeprefix("^").partition(":")[0]
