"""Texts and records in rows: what is parsed, and what is split and put back together."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Mixed,
    MixError,
    rows_of,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import tensor
from service.repository.row_independence.symbolic_sizes import ROWS


def _parse_example(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    """``tf.io.parse_example``: dense features of a fixed shape are rows, others are not."""
    serialized = tensor(arguments[0])
    if serialized.axis != 0 or serialized.sizes != (ROWS,):
        raise MixError("parses values that are not rows")
    if any(tensor(other).axis is not None for other in arguments[1:]):
        raise MixError("parses in a way that depends on the rows")
    sparse, ragged = node.integer("num_sparse"), len(node.types("ragged_value_types"))
    unlike = Mixed("ParseExampleV2 gives sparse or ragged features, whose rows lie in one")
    dense: list[AbstractValue] = []
    for shape in node.shapes("dense_shapes"):
        fixed = shape is not None and all(size.known is not None for size in shape)
        assert shape is not None or not fixed
        dense.append(
            rows_of((ROWS, *(shape or ())))
            if fixed
            else Mixed("ParseExampleV2 pads rows to the longest of all")
        )
    return [*[unlike] * (3 * sparse), *dense, *[unlike] * (2 * ragged)]


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "ParseExampleV2": _parse_example,
}
