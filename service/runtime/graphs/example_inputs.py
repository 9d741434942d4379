"""Which inputs of a graph take serialised ``tf.train.Example`` messages.

Signatures of TensorFlow 2 do not say so; the graph does: what is fed goes to an operation that
parses such messages, at once, or through operations and functions that leave strings as they are.
"""

from collections.abc import Iterable
from typing import Any

_PARSERS = {
    "ParseExample",
    "ParseExampleV2",
    "ParseSingleExample",
    "ParseSequenceExample",
    "ParseSequenceExampleV2",
    "ParseSingleSequenceExample",
}
_UNCHANGED = {
    *("ExpandDims", "Identity", "IdentityN", "PlaceholderWithDefault", "Reshape", "Snapshot"),
    *("Squeeze", "StopGradient"),
}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


class ExampleInputs:
    """Finds inputs that are parsed as examples."""

    def __init__(self, graph: Any) -> None:
        """The inputs of ``graph``, a ``GraphDef``."""
        self._nodes = _consumers(graph.node)
        self._functions = {each.signature.name: each for each in graph.library.function}
        self._consumers: dict[str, dict[str, list[tuple[Any, int]]]] = {}
        self._seen: set[tuple[str, str]] = set()

    def takes(self, tensor: str) -> bool:
        """Whether what is fed to ``tensor`` ("x:0") is parsed."""
        self._seen = set()
        return self._is_parsed("", tensor.partition(":")[0])

    def _is_parsed(self, function: str, value: str) -> bool:
        """Whether a node of the graph, or a function's node or argument, is parsed."""
        if (function, value) in self._seen:
            return False
        self._seen.add((function, value))
        for node, index in self._of(function).get(value, ()):
            if node.op in _PARSERS:
                # The first input is the messages; the others are the features' names and so on.
                if index == 0:
                    return True
            elif node.op in _UNCHANGED:
                if self._is_parsed(function, node.name):
                    return True
            elif node.op in _CALLS or node.op in self._functions:
                name = node.attr["f"].func.name if node.op in _CALLS else node.op
                called = self._functions.get(name)
                if called is not None and index < len(called.signature.input_arg):
                    argument = called.signature.input_arg[index].name
                    if self._is_parsed(name, argument):
                        return True
        return False

    def _of(self, function: str) -> dict[str, list[tuple[Any, int]]]:
        if not function:
            return self._nodes
        if function not in self._consumers:
            self._consumers[function] = _consumers(self._functions[function].node_def)
        return self._consumers[function]


def _consumers(nodes: Iterable[Any]) -> dict[str, list[tuple[Any, int]]]:
    """Return, by the name of a node or argument, who takes its values and as which input."""
    found: dict[str, list[tuple[Any, int]]] = {}
    for node in nodes:
        for index, source in enumerate(node.input):
            if not source.startswith("^"):
                found.setdefault(source.partition(":")[0], []).append((node, index))
    return found
