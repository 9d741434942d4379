"""Graphs and functions as the analysis walks them: nodes, their inputs, their attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Known,
    Shape,
    Tensor,
    known,
)
from service.repository.row_independence.symbolic_sizes import Size, unknown

# Operations of several named outputs of one tensor each, for references as functions make them.
_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "FusedBatchNorm": ("y", "batch_mean", "batch_variance"),
    "FusedBatchNormV2": ("y", "batch_mean", "batch_variance"),
    "FusedBatchNormV3": ("y", "batch_mean", "batch_variance"),
    "StringSplitV2": ("indices", "values", "shape"),
    "StringNGrams": ("ngrams", "ngrams_splits"),
    "TopKV2": ("values", "indices"),
    "Unique": ("y", "idx"),
    "UniqueV2": ("y", "idx"),
    "ListDiff": ("out", "idx"),
    "MaxPoolWithArgmax": ("output", "argmax"),
}
_INTEGERS = {3: np.int32, 9: np.int64, 4: np.uint8, 10: np.bool_}
_MOST_ELEMENTS = 256


@dataclass(frozen=True)
class Node:
    """An operation of a graph; ``proto`` is TensorFlow's NodeDef."""

    proto: Any

    @property
    def name(self) -> str:
        return str(self.proto.name)

    @property
    def op(self) -> str:
        return str(self.proto.op)

    @cached_property
    def inputs(self) -> list[str]:
        return [name for name in self.proto.input if not name.startswith("^")]

    @cached_property
    def controls(self) -> list[str]:
        return [name[1:] for name in self.proto.input if name.startswith("^")]

    def integer(self, key: str, default: int = 0) -> int:
        return int(self.proto.attr[key].i) if key in self.proto.attr else default

    def integers(self, key: str) -> list[int]:
        return [int(i) for i in self.proto.attr[key].list.i] if key in self.proto.attr else []

    def flag(self, key: str, default: bool = False) -> bool:
        return bool(self.proto.attr[key].b) if key in self.proto.attr else default

    def text(self, key: str, default: str = "") -> str:
        if key not in self.proto.attr:
            return default
        return bytes(self.proto.attr[key].s).decode(errors="replace")

    def dtype(self, key: str) -> int:
        return int(self.proto.attr[key].type) if key in self.proto.attr else 0

    def function(self, key: str) -> str:
        return str(self.proto.attr[key].func.name)

    def functions(self, key: str) -> list[str]:
        return [str(func.name) for func in self.proto.attr[key].list.func]

    def shape(self, key: str) -> Shape | None:
        return shape_of(self.proto.attr[key].shape) if key in self.proto.attr else None

    def shapes(self, key: str) -> list[Shape | None]:
        if key not in self.proto.attr:
            return []
        return [shape_of(shape) for shape in self.proto.attr[key].list.shape]

    def value(self) -> AbstractValue:
        """Return what the constant that this node is holds."""
        tensor = self.proto.attr["value"].tensor
        shape = shape_of(tensor.tensor_shape)
        sizes = [size.known for size in shape or ()]
        dtype = _INTEGERS.get(tensor.dtype)
        count = int(np.prod([size or 0 for size in sizes], dtype=np.int64))
        if dtype is None or count > _MOST_ELEMENTS or shape is None:
            return Tensor(shape)
        if tensor.tensor_content:
            array: np.ndarray[Any, Any] = np.frombuffer(tensor.tensor_content, dtype=dtype)
        else:
            given = tensor.int_val or tensor.int64_val or tensor.bool_val
            array = np.array(list(given), dtype=dtype)
            if len(array) < count:
                # The last value stands for all that follow, none for zeros.
                last = array[-1:] if len(array) else np.zeros(1, dtype=dtype)
                array = np.concatenate([array, np.repeat(last, count - len(array))])
        return (
            known(array.reshape([size or 0 for size in sizes]).tolist())
            if count
            else Known(np.empty([size or 0 for size in sizes], dtype=object))
        )

    def offset(self, output: str) -> int:
        """Return the number of the first tensor of a named output."""
        if self.op in _OUTPUTS:
            names = _OUTPUTS[self.op]
            return names.index(output) if output in names else 0
        if self.op == "ParseExampleV2":
            sparse, ragged = self.integer("num_sparse"), len(self.types("ragged_value_types"))
            dense = len(self.types("Tdense"))
            starts = {
                "sparse_indices": 0,
                "sparse_values": sparse,
                "sparse_shapes": 2 * sparse,
                "dense_values": 3 * sparse,
                "ragged_values": 3 * sparse + dense,
                "ragged_row_splits": 3 * sparse + dense + ragged,
            }
            return starts.get(output, 0)
        return 0

    def types(self, key: str) -> list[int]:
        return list(self.proto.attr[key].list.type) if key in self.proto.attr else []


@dataclass(frozen=True)
class Function:
    """A function of the library.

    Attributes:
        name: its name.
        parameters: the names of its parameters, in order.
        nodes: its operations by name.
        results: for each result, what gives it.
        controls: the names of operations that run though no result may need them.
    """

    name: str
    parameters: Sequence[str]
    nodes: Mapping[str, Node]
    results: Sequence[str]
    controls: Sequence[str]


class Graph:
    """A SavedModel's graph with its functions.

    Attributes:
        nodes: the operations outside of all functions, by name.
    """

    def __init__(self, proto: Any) -> None:
        """The graph of TensorFlow's GraphDef ``proto``, by names."""
        self.nodes = {node.name: Node(node) for node in proto.node}
        self._protos = {each.signature.name: each for each in proto.library.function}
        self._functions: dict[str, Function] = {}

    def function(self, name: str) -> Function | None:
        """Return a function of the library; ``None`` where there is none of that name."""
        if name not in self._functions and name in self._protos:
            proto = self._protos[name]
            self._functions[name] = Function(
                name,
                [arg.name for arg in proto.signature.input_arg],
                {node.name: Node(node) for node in proto.node_def},
                [proto.ret[arg.name] for arg in proto.signature.output_arg],
                sorted(proto.control_ret.values()),
            )
        return self._functions.get(name)


def shape_of(proto: Any) -> Shape | None:
    """Return a TensorShapeProto's sizes; ``None`` where not even their number is known."""
    if proto.unknown_rank:
        return None
    return tuple(Size(int(dim.size)) if dim.size >= 0 else unknown() for dim in proto.dim)
