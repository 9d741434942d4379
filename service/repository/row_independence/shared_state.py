"""Which variables and tables signatures use, and which of them requests change.

What a request finds in a variable is the same for all of its rows. Were its rows divided, and
another signature assigned that variable in between, they would find different values. So what
follows is conservative: a handle that reaches an operation which is not known to only read counts
as changed. Initialisation and restoring are not signatures: they are over before requests come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.repository.row_independence.graph import Graph, Node
from service.repository.row_independence.graph_flow import NO_NAMES, GraphFlow, Names
from service.repository.row_independence.stateless_operations import CALLS, PURE, READING

# What TensorFlow writes down as signatures and runs while it loads or trains: no request does.
_NOT_CALLED = ("__saved_model_init_op", "__saved_model_train_op")
_CREATING = ("VarHandleOp", "HashTableV2", "MutableHashTableV2")
# They give the handle on; whatever else reads gives values.
_PASSING = ("DisableCopyOnRead", "Placeholder", "PlaceholderWithDefault")


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
        flow = _HandleFlow(graph)
        try:
            flow.run(graph.nodes, {}, [info.name for info in signature.outputs.values()])
        except Exception:  # what cannot be followed may do anything
            flow.use.is_known = False
        found[name] = flow.use
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


class _HandleFlow(GraphFlow):
    """Follows handles from where they are created.

    A tensor carries the shared names of the variables and tables whose handle it may be.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.use = Use()

    def outputs(self, node: Node, arguments: Sequence[Names], order: Names) -> list[Names]:
        handles = NO_NAMES.union(*arguments)
        self.use.used |= handles
        if node.op in _CREATING:
            # One that nothing uses is not used.
            return [frozenset([node.text("shared_name") or node.name])]
        if node.op in CALLS:
            return self._run_call(node, arguments)
        if node.op in PURE or node.op in _PASSING:
            return [handles]
        if node.op in READING:
            return [NO_NAMES]
        self.use.changed |= handles
        if any(attr.func.name or attr.list.func for attr in node.proto.attr.values()):
            # It calls functions in a way of its own.
            self.use.is_known = False
        return [handles]

    def _run_call(self, node: Node, arguments: Sequence[Names]) -> list[Names]:
        if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
            return self.call(node.function("f"), arguments)
        if node.op in ("While", "StatelessWhile"):
            state = list(arguments)
            while True:
                self.call(node.function("cond"), state)
                given = self.call(node.function("body"), state)
                joined = [a | b for a, b in zip(state, given, strict=True)]
                if joined == state:
                    return state
                state = joined
        names = node.functions("branches") or [
            node.function("else_branch"),
            node.function("then_branch"),
        ]
        branches = [self.call(name, arguments[1:]) for name in names]
        return [NO_NAMES.union(*each) for each in zip(*branches, strict=True)]
