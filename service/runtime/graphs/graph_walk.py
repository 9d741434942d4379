"""Which operations of a graph run: when it is restored, initialised, and called by a signature.

An operation runs when what is asked for depends on it, by a tensor or by a control edge; and those
of a function's body when the function is called, by any operation that names it. For each
operation it keeps what is known of its inputs: whether one is the path of an asset, the prefix of
the variables' files, a variable, or a constant string. What is not known is ``None``.

It reads TensorFlow's protocol buffers and needs no TensorFlow.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_INIT = "__saved_model_init_op"
_TRAIN = "__saved_model_train_op"
# The collections in which TensorFlow looks for what initialises a graph.
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")

# Calls whose function gets their inputs, and how many of those come before its arguments.
_CALLS = {"PartitionedCall": 0, "StatefulPartitionedCall": 0}
_BRANCHES = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}
# What may be done with a variable without changing it.
_READERS = {
    "ReadVariableOp",
    "VarIsInitializedOp",
    "DisableCopyOnRead",
    "VariableShape",
    "ResourceGather",
    "Identity",
}


@dataclass(frozen=True, slots=True)
class TensorSource:
    """What is known of a tensor: ``kind`` is asset, saver, variable, read or constant."""

    kind: str
    text: str = ""


ASSET, SAVER = TensorSource("asset"), TensorSource("saver")


@dataclass(frozen=True, slots=True)
class Step:
    """An operation that runs.

    Attributes:
        op: its name, such as "MatMul".
        node: the NodeDef.
        values: what is known of each of its inputs, but for control edges.
        function: in whose body it is; empty for the graph itself.
        reason: why it runs, for people.
    """

    op: str
    node: Any
    values: tuple[TensorSource | None, ...]
    function: str
    reason: str


@dataclass(slots=True)
class _Scope:
    """The nodes of the graph or of one function, and what is known of what comes in."""

    nodes: Mapping[str, Any]
    known: Mapping[str, TensorSource | None]
    function: str = ""
    found: dict[str, TensorSource | None] = field(default_factory=dict)


class GraphWalk:
    """All operations that may run in the service, of one MetaGraphDef."""

    def __init__(self, meta_graph: Any) -> None:
        """A walk of which no step was taken.

        Args:
            meta_graph: TensorFlow's ``MetaGraphDef``.
        """
        library = meta_graph.graph_def.library
        self._functions = {function.signature.name: function for function in library.function}
        self._gradients = {it.function_name: it.gradient_func for it in library.gradient}
        self._nodes = {node.name: node for node in meta_graph.graph_def.node}
        self._steps: list[Step] = []
        self._visited: set[tuple[str, str, tuple[TensorSource | None, ...]]] = set()
        self._walk_restoring(meta_graph)
        self._walk_initialising(meta_graph)
        self._walk_signatures(meta_graph)
        self._of_assets = self._variables_of_assets()

    @property
    def steps(self) -> Sequence[Step]:
        return self._steps

    @property
    def functions(self) -> set[str]:
        """The names of the graph's own functions, which stand where operations do."""
        return set(self._functions)

    def is_asset(self, value: TensorSource | None) -> bool:
        """Whether a tensor is the path of one of the version's assets, and nothing else.

        Exports keep such a path in a variable at times; that must hold nothing else, ever.
        """
        if value is None:
            return False
        return value == ASSET or (value.kind == "read" and value.text in self._of_assets)

    def _walk_restoring(self, meta_graph: Any) -> None:
        saver = meta_graph.saver_def
        if saver.restore_op_name:
            known = {_tensor(saver.filename_tensor_name): SAVER}
            self._walk([saver.restore_op_name], known, "restoring its variables")

    def _walk_initialising(self, meta_graph: Any) -> None:
        known = {_tensor(asset.tensor_info.name): ASSET for asset in meta_graph.asset_file_def}
        roots = [
            name
            for key in _INIT_COLLECTIONS
            if key in meta_graph.collection_def
            for name in meta_graph.collection_def[key].node_list.value
        ]
        if _INIT in meta_graph.signature_def:
            roots += [info.name for info in meta_graph.signature_def[_INIT].outputs.values()]
        self._walk(roots, known, "its initialisation")

    def _walk_signatures(self, meta_graph: Any) -> None:
        for name, signature in sorted(meta_graph.signature_def.items()):
            if name in (_INIT, _TRAIN):
                continue
            roots = [root for info in signature.outputs.values() for root in _tensors_of(info)]
            # What they are fed with is an operation's output as well; its inputs do not run then,
            # but it costs nothing to look at them too.
            roots += [root for info in signature.inputs.values() for root in _tensors_of(info)]
            self._walk(roots, {}, f"signature {name!r}")

    def _walk(
        self, roots: Sequence[str], known: Mapping[str, TensorSource | None], reason: str
    ) -> None:
        scope = _Scope(self._nodes, known)
        waiting, seen = [_node(root) for root in roots], set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            self._visit(self._nodes[name], scope, reason)
            waiting += [_node(item) for item in self._nodes[name].input]

    def _visit(self, node: Any, scope: _Scope, reason: str) -> None:
        values = tuple(
            self._value(reference, scope) for reference in node.input if reference[0] != "^"
        )
        self._steps.append(Step(node.op, node, values, scope.function, reason))
        skipped = _CALLS.get(node.op, _BRANCHES.get(node.op))
        for called in _functions_of(node):
            self._enter(called, () if skipped is None else values[skipped:], reason)
        if node.op in self._functions:
            self._enter(node.op, values, reason)

    def _enter(self, name: str, values: tuple[TensorSource | None, ...], reason: str) -> None:
        """Visit a function's body: all of it, since what has side effects there always runs."""
        if name not in self._functions or (reason, name, values) in self._visited:
            return
        self._visited.add((reason, name, values))
        function = self._functions[name]
        arguments = [argument.name for argument in function.signature.input_arg]
        known = dict(zip(arguments, values, strict=False))
        scope = _Scope({node.name: node for node in function.node_def}, known, name)
        for node in function.node_def:
            self._visit(node, scope, reason)
        if name in self._gradients:
            self._enter(self._gradients[name], (), reason)

    def _value(self, reference: str, scope: _Scope) -> TensorSource | None:
        """Return what is known of a tensor: ``name``, ``name:0``, or ``name:output:0``."""
        # Passed on any number of times; a graph may do so more often than Python calls can nest.
        passed: list[str] = []
        value: TensorSource | None = None
        while True:
            key = reference if scope.function else _tensor(reference)
            if key in scope.known:
                value = scope.known[key]
                break
            if key in scope.found:
                value = scope.found[key]
                break
            scope.found[key] = None  # A circle is nothing that we know.
            passed.append(key)
            node = scope.nodes.get(_node(reference))
            if node is None:
                break
            if node.op != "Identity" or not node.input:
                value = self._value_of(node, scope)
                break
            reference = node.input[0]
        scope.found |= dict.fromkeys(passed, value)
        return value

    def _value_of(self, node: Any, scope: _Scope) -> TensorSource | None:
        match node.op:
            case "VarHandleOp":
                shared = node.attr["shared_name"].s.decode(errors="replace") or node.name
                container = node.attr["container"].s.decode(errors="replace")
                return TensorSource("variable", f"{container}/{shared}")
            case "ReadVariableOp":
                handle = self._value(node.input[0], scope)
                known = handle is not None and handle.kind == "variable"
                return TensorSource("read", handle.text) if known and handle else None
            case "Const":
                strings = node.attr["value"].tensor.string_val
                if len(strings) == 1 and not node.attr["value"].tensor.tensor_shape.dim:
                    return TensorSource("constant", strings[0].decode(errors="replace"))
        return None

    def _variables_of_assets(self) -> set[str]:
        """Return the variables that hold the path of an asset, whatever runs."""
        held: dict[str, set[TensorSource | None]] = {}
        for step in self._steps:
            if step.op in _READERS or self._passes_on(step):
                continue
            target = step.values[0] if step.values else None
            if step.op == "AssignVariableOp" and target and len(step.values) == 2:
                held.setdefault(target.text, set()).add(step.values[1])
                continue
            for value in step.values:
                if value is not None and value.kind == "variable":
                    # Nobody knows what another operation does with it.
                    held.setdefault(value.text, set()).add(None)
        # A variable may be assigned from another one that is read.
        while True:
            others = {name for name, values in held.items() if not _all_paths(values, held)}
            if not others:
                return set(held)
            held = {name: values for name, values in held.items() if name not in others}

    def _passes_on(self, step: Step) -> bool:
        return step.op in _CALLS or step.op in _BRANCHES or step.op in self._functions


def _all_paths(values: Iterable[TensorSource | None], of_assets: Collection[str]) -> bool:
    """Whether all are the path of an asset, or read from a variable that holds one."""
    return all(v == ASSET or (v and v.kind == "read" and v.text in of_assets) for v in values)


def _functions_of(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        if value.func.name:
            yield value.func.name
        for function in value.list.func:
            yield function.name


def _tensors_of(info: Any) -> Iterator[str]:
    match info.WhichOneof("encoding"):
        case "coo_sparse":
            sparse = info.coo_sparse
            yield from (
                sparse.values_tensor_name,
                sparse.indices_tensor_name,
                sparse.dense_shape_tensor_name,
            )
        case "composite_tensor":
            for component in info.composite_tensor.components:
                yield from _tensors_of(component)
        case _:
            yield info.name


def _node(reference: str) -> str:
    return reference.lstrip("^").partition(":")[0]


def _tensor(reference: str) -> str:
    return reference if ":" in reference else f"{reference}:0"
