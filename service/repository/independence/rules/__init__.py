"""What each operation does to rows: a function from abstract inputs to abstract outputs."""

from collections.abc import Callable, Mapping, Sequence

from service.repository.independence.graph import Node
from service.repository.independence.rules import (
    blocks,
    elementwise,
    lists,
    moving,
    networks,
    products,
    reducing,
    selecting,
    texts,
)
from service.repository.independence.values import Value

Rule = Callable[[Node, Sequence[Value]], Value | list[Value]]

RULES: Mapping[str, Rule] = {
    **elementwise.RULES,
    **moving.RULES,
    **reducing.RULES,
    **products.RULES,
    **networks.RULES,
    **blocks.RULES,
    **selecting.RULES,
    **texts.RULES,
    **lists.RULES,
}
