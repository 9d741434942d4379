"""What each operation does to rows: a function from abstract inputs to abstract outputs."""

from collections.abc import Callable, Mapping, Sequence

from service.repository.row_independence.abstract_values import AbstractValue
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules import (
    dilation,
    elementwise,
    joining_and_repeating,
    layers,
    lookups,
    matrix_products,
    record_parsing,
    reductions,
    reshaping,
    slicing,
    tensor_lists,
)

Rule = Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]

RULES: Mapping[str, Rule] = {
    **elementwise.RULES,
    **reshaping.RULES,
    **joining_and_repeating.RULES,
    **slicing.RULES,
    **reductions.RULES,
    **matrix_products.RULES,
    **layers.RULES,
    **dilation.RULES,
    **lookups.RULES,
    **record_parsing.RULES,
    **tensor_lists.RULES,
}
