"""What is known of a value that is one thing or another: after a branch, or round a loop."""

from collections.abc import Callable
from typing import Any

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Item,
    Mixed,
    MixError,
    RowList,
    Shape,
    Tensor,
    TensorList,
    VariableHandle,
    as_tensor,
)
from service.repository.row_independence.symbolic_sizes import Size, unknown

# Makes a size for a place where two differ; a loop makes the same one for a place every time.
Fresh = Callable[[Any], Size]


def _any_fresh(place: Any) -> Size:
    return unknown()


def join(a: AbstractValue, b: AbstractValue, fresh: Fresh = _any_fresh) -> AbstractValue:
    """Return what is known of a value that is ``a`` or ``b``.

    Raises:
        MixError: they hold rows differently, or only one does.
    """
    if a == b:
        return a
    for value in (a, b):
        if isinstance(value, Mixed):
            return value
    if isinstance(a, TensorList) and isinstance(b, TensorList):
        element = a.element or b.element
        if a.element is not None and b.element is not None:
            element = join(a.element, b.element, fresh)
        return TensorList(element, a.length if a.length == b.length else fresh("length"))
    if isinstance(a, RowList) and isinstance(b, RowList):
        if a.element is None or b.element is None:
            return RowList(None)
        return RowList(Item(_join_shapes(a.element.shape, b.element.shape, fresh)))
    if isinstance(a, Item | VariableHandle) or isinstance(b, Item | VariableHandle):
        return _join_item(a, b, fresh)
    first, second = as_tensor(a), as_tensor(b)
    layouts = {(each.axis, each.outer, each.inner) for each in (first, second)}
    if len(layouts) > 1:
        raise MixError("gives rows in one case and something else in another")
    shape = _join_shapes(first.shape, second.shape, fresh, kept=first.axis)
    if shape is None and first.axis is not None:
        raise MixError("gives rows of different ranks")
    return Tensor(shape, first.axis, first.outer, first.inner)


def _join_item(a: AbstractValue, b: AbstractValue, fresh: Fresh) -> AbstractValue:
    shapes = []
    for value in (a, b):
        if isinstance(value, Item):
            shapes.append(value.shape)
            continue
        found = as_tensor(value)
        if found.axis is not None:
            raise MixError("combines one row with all rows")
        shapes.append(found.shape)
    return Item(_join_shapes(shapes[0], shapes[1], fresh))


def _join_shapes(
    a: Shape | None, b: Shape | None, fresh: Fresh, kept: int | None = None
) -> Shape | None:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(
        x if x == y or i == kept else fresh(i) for i, (x, y) in enumerate(zip(a, b, strict=True))
    )
