"""Lists of tensors, which loops read and fill."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Item,
    Known,
    MixError,
    RowList,
    Shape,
    Tensor,
    TensorList,
    Turn,
    is_free,
    known,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.joins import join
from service.repository.row_independence.rules.rule_helpers import known_sizes, tensor
from service.repository.row_independence.symbolic_sizes import ROWS, Size, sized, unknown


def _from_tensor(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    if found.shape is None:
        return TensorList(Tensor(None), unknown())
    if not found.rank:
        raise MixError("makes a list of a single number")
    if found.axis == 0:
        if found.sizes[0] != ROWS:
            raise MixError("makes a list of several rows' parts")
        return RowList(Item(found.sizes[1:]))
    element = Tensor(found.sizes[1:])
    if found.axis is not None:
        element = found.like(found.sizes[1:], found.axis - 1)
    return TensorList(element, found.sizes[0])


def _reserve(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    if isinstance(arguments[1], Known):
        length = sized(known_sizes(arguments[1], "a length")[0])
        if length == ROWS:
            return RowList(None)
        if length.rows:
            raise MixError("makes a list of several times the number of rows")
        return TensorList(None, length)
    if is_free(arguments[1]):
        return TensorList(None, unknown())
    raise MixError("makes a list whose length depends on the rows")


def _get(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, index = arguments[:2]
    if isinstance(found, RowList):
        if index != Turn() or found.element is None:
            raise MixError("takes a row other than the current one")
        return found.element
    if not isinstance(found, TensorList) or found.element is None or not is_free(index):
        raise MixError("takes from a list in a way that cannot be followed")
    return found.element


def _set(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, index, value = arguments
    if isinstance(found, RowList):
        if index != Turn():
            raise MixError("writes a row other than the current one")
        if isinstance(value, Known):
            value = tensor(value)
        if isinstance(value, Tensor) and value.axis is None:
            value = Item(value.shape)
        if not isinstance(value, Item):
            raise MixError("writes all rows into one")
        return RowList(value)
    if not isinstance(found, TensorList) or not is_free(index):
        raise MixError("writes into a list in a way that cannot be followed")
    if isinstance(value, Known):
        value = tensor(value)
    if not isinstance(value, Tensor | Item):
        raise MixError("writes into a list what cannot be followed")
    return TensorList(value if found.element is None else join(found.element, value), found.length)


def _stack(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, told = arguments[:2]
    if isinstance(found, RowList):
        if found.element is None:
            raise MixError("reads a list that the loop may not have filled")
        shape = _element_shape(found.element.shape, told)
        return Tensor((ROWS, *shape), 0)
    if not isinstance(found, TensorList):
        raise MixError("stacks a value that is not a list")
    if found.element is None:
        raise MixError("reads a list that nothing was written into")
    element = found.element
    if isinstance(element, Item):
        return Item(None if element.shape is None else (found.length, *element.shape))
    element = tensor(element)
    if element.shape is None:
        return Tensor(None)
    shape = (found.length, *element.shape)
    return Tensor(shape) if element.axis is None else element.like(shape, element.axis + 1)


def _element_shape(own: Shape | None, told: AbstractValue) -> Shape:
    """Return the shape of the rows' elements, which must be the same for all of them."""
    wanted: list[int | Size] = list(told.array.reshape(-1)) if isinstance(told, Known) else []
    if not isinstance(told, Known) or told.includes_row_count or told.array.ndim != 1:
        if own is None:
            raise MixError("stacks rows whose shapes may differ")
        return own
    result = []
    for i, size in enumerate(wanted):
        told_size = sized(size)
        if told_size.factor >= 0:
            result.append(told_size)
        elif own is not None and len(own) == len(wanted):
            result.append(own[i])
        else:
            raise MixError("stacks rows whose shapes may differ")
    return tuple(result)


def _length(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = arguments[0]
    if isinstance(found, RowList):
        return known(ROWS)
    if isinstance(found, TensorList):
        return known(found.length)
    raise MixError("measures a value that is not a list")


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "TensorListFromTensor": _from_tensor,
    "TensorListReserve": _reserve,
    "TensorListGetItem": _get,
    "TensorListSetItem": _set,
    "TensorListStack": _stack,
    "TensorListLength": _length,
}
