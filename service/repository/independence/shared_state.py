"""Which variables and tables signatures use, and which of them requests change.

What a request finds in a variable is the same for all of its rows. Were its rows divided, and
another signature assigned that variable in between, they would find different values. So what
follows is conservative: a handle that reaches an operation which is not known to only read counts
as changed. Initialisation and restoring are no signatures: they are over before requests come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.repository.independence.graph import Graph, Node
from service.repository.independence.stateless_operations import CALLS, PURE, READING

# The variables and tables whose handle a tensor may be, by their shared names.
Handles = frozenset[str]

_NONE: Handles = frozenset()
# What TensorFlow writes down as signatures and runs while it loads or trains: no request does.
_NOT_CALLED = ("__saved_model_init_op", "__saved_model_train_op")
_CREATING = ("VarHandleOp", "HashTableV2", "MutableHashTableV2")
# They give the handle on; whatever else reads gives values.
_PASSING = ("DisableCopyOnRead", "Placeholder", "PlaceholderWithDefault")
_MOST_DEPTH = 60


@dataclass
class Use:
    """What a signature does with state.

    Attributes:
        used: the variables and tables that it takes.
        changed: those that it may change.
        is_known: whether that is all; else it may use and change any.
    """

    used: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    is_known: bool = True


def uses_of(graph: Graph, signatures: Mapping[str, Any]) -> Mapping[str, Use]:
    """Return what each signature does with state, by their names; it never fails.

    Those that only loading or training calls are left out.
    """
    found = {}
    for name, signature in signatures.items():
        if name in _NOT_CALLED:
            continue
        walk = _Walk(graph)
        try:
            walk.run(graph.nodes, {}, [info.name for info in signature.outputs.values()])
        except Exception:  # what cannot be followed may do anything
            walk.use.is_known = False
        found[name] = walk.use
    return found


def changing_signature(name: str, uses: Mapping[str, Use]) -> str | None:
    """Return a signature that may change what the one of that name uses; ``None`` without any."""
    own = uses.get(name, Use(is_known=False))
    for other, use in sorted(uses.items()):
        if not own.is_known and (use.changed or not use.is_known):
            return other
        if own.used & use.changed or (own.used and not use.is_known):
            return other
    return None


class _Walk:
    """Follows handles from where they are created, through the functions that are called."""

    def __init__(self, graph: Graph) -> None:
        self.use = Use()
        self._graph = graph
        self._depth = 0
        # By function and by what its arguments are: each is walked once.
        self._called: dict[tuple[str, tuple[Handles, ...]], list[Handles]] = {}

    def run(
        self, nodes: Mapping[str, Node], given: dict[str, list[Handles]], wanted: Iterable[str]
    ) -> None:
        """Add to ``given`` the handles in the outputs of all operations that are needed."""
        pending = [(_name(reference), False) for reference in wanted]
        reached: set[str] = set()
        while pending:
            name, is_ready = pending.pop()
            node = nodes.get(name)
            if name in given or node is None:
                continue
            if is_ready:
                given[name] = self._outputs(node, [_of(given, ref) for ref in node.inputs])
            elif name not in reached:
                reached.add(name)
                pending.append((name, True))
                pending += [(_name(reference), False) for reference in node.inputs]
                pending += [(control, False) for control in node.controls]

    def _outputs(self, node: Node, arguments: Sequence[Handles]) -> list[Handles]:
        handles = _NONE.union(*arguments)
        self.use.used |= handles
        if node.op in _CREATING:
            # One that nothing uses is not used.
            return [frozenset([node.text("shared_name") or node.name])]
        if node.op in CALLS:
            return self._run_call(node, arguments)
        if node.op in PURE or node.op in _PASSING:
            return [handles]
        if node.op in READING:
            return [_NONE]
        self.use.changed |= handles
        if any(attr.func.name or attr.list.func for attr in node.proto.attr.values()):
            # It calls functions in a way of its own.
            self.use.is_known = False
        return [handles]

    def _run_call(self, node: Node, arguments: Sequence[Handles]) -> list[Handles]:
        if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
            return self._call(node.function("f"), arguments)
        if node.op in ("While", "StatelessWhile"):
            state = list(arguments)
            while True:
                self._call(node.function("cond"), state)
                given = self._call(node.function("body"), state)
                joined = [a | b for a, b in zip(state, given, strict=True)]
                if joined == state:
                    return state
                state = joined
        names = node.functions("branches") or [
            node.function("else_branch"),
            node.function("then_branch"),
        ]
        branches = [self._call(name, arguments[1:]) for name in names]
        return [_NONE.union(*each) for each in zip(*branches, strict=True)]

    def _call(self, name: str, arguments: Sequence[Handles]) -> list[Handles]:
        key = (name, tuple(arguments))
        if key not in self._called:
            function = self._graph.function(name)
            if function is None or self._depth > _MOST_DEPTH:
                raise ValueError(f"{name} cannot be followed")
            given = {
                parameter: [handles]
                for parameter, handles in zip(function.parameters, arguments, strict=True)
            }
            self._depth += 1
            # All of it: within a function, what no result needs may run as well.
            self.run(function.nodes, given, function.nodes)
            self._depth -= 1
            self._called[key] = [_of(given, ref) for ref in function.results]
        return self._called[key]


def _name(reference: str) -> str:
    return reference.partition(":")[0]


def _of(given: Mapping[str, Sequence[Handles]], reference: str) -> Handles:
    """Return the handles in the tensor that a reference names."""
    handles = given.get(_name(reference), [_NONE])
    if len(handles) == 1:
        return handles[0]
    # Only calls have outputs that differ; functions write those "name:output:0".
    number = reference.rpartition(":")[2]
    if not handles:
        return _NONE
    return handles[int(number) if number.isdecimal() and ":" in reference else 0]
