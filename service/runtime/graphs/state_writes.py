"""Whether a signature of a graph changes what later calls see: variables, tables, random state.

Such a signature must not be run by the service itself before it is served: the first client would
not get the first answer.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Operations that TensorFlow calls stateful, and that change nothing that a later call sees: they
# make resources, read them, call functions, or only check and print.
_HARMLESS = re.compile(
    r"VarHandleOp|_?VarHandlesOp|ReadVariableOp|_?ReadVariablesOp|VarIsInitializedOp|VariableShape"
    r"|Variable(V2)?|IsVariableInitialized|TemporaryVariable|Resource(Gather|GatherNd|StridedSlice)"
    r"|(Hash|MutableHash|MutableDenseHash|MutableHashTableOfTensors|AnonymousHash|Immutable)\w*"
    r"|Anonymous\w*Table\w*|LookupTable(Find|Size|Export)(V2)?|ImmutableConst"
    r"|Stateful(Partitioned)?Call|PartitionedCall|RemoteCall|SymbolicGradient|If|While|Case|For"
    r"|_If|_While|Merge|_Arg|_Retval|Placeholder\w*|NoOp"
    r"|Assert|Print(V2)?|CheckNumerics\w*|Timestamp|RestoreV2|ReadFile|MatchingFiles|DecodeProtoV2"
    r"|Ensemble\w*|DecisionForest\w*|SimpleMLCreateModelResource|SimpleMLInference\w*"
    r"|BoostedTrees(Predict|EnsembleResourceHandleOp)|SentencepieceOp|SentencepieceTokenizeOp"
)
# Operations on variables of TensorFlow 1, which change them and are not called stateful.
_REF_WRITES = re.compile(
    r"Assign(Add|Sub)?|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|(Sparse)?Apply\w+|CountUpTo"
    r"|StridedSliceAssign|InplaceUpdate|DestroyTemporaryVariable"
)


def writes_state(graph: Any, fetched: Iterable[str], is_stateful: Callable[[str], bool]) -> bool:
    """Return whether computing some tensors of a graph changes its state, or may.

    Args:
        graph: TensorFlow's GraphDef, with the functions that it calls.
        fetched: the names of the tensors, such as ``StatefulPartitionedCall:0``.
        is_stateful: whether TensorFlow calls an operation, named by its type, stateful; an
            operation that is, and is not known to be harmless, is taken to write.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    nodes = {node.name: node for node in graph.node}
    waiting = [_node_name(name) for name in fetched]
    needed: set[str] = set()
    called: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needed or name not in nodes:
            continue
        needed.add(name)
        node = nodes[name]
        if _writes(node.op, functions, is_stateful):
            return True
        waiting += map(_node_name, node.input)
        called |= set(_functions_of(node, functions))
    return _any_writes(called, functions, is_stateful)


def _any_writes(
    called: set[str], functions: dict[str, Any], is_stateful: Callable[[str], bool]
) -> bool:
    """Return whether functions write, or those that they call.

    All nodes of a function count: TensorFlow runs those that are stateful even if nothing asks for
    their results.
    """
    seen: set[str] = set()
    waiting = list(called)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            if _writes(node.op, functions, is_stateful):
                return True
            waiting += _functions_of(node, functions)
    return False


def _writes(op: str, functions: dict[str, Any], is_stateful: Callable[[str], bool]) -> bool:
    if op in functions or _HARMLESS.fullmatch(op):
        return False
    return bool(_REF_WRITES.fullmatch(op)) or is_stateful(op)


def _functions_of(node: Any, functions: dict[str, Any]) -> Iterator[str]:
    """Return the functions that a node calls: as its operation, or by an attribute."""
    named = [node.op]
    for value in node.attr.values():
        named.append(value.func.name)
        named += [function.name for function in value.list.func]
    return (name for name in named if name in functions)


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
