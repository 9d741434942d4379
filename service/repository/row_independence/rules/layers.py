"""Layers of networks: convolutions, pooling, normalisation, resizing. Images come one a row."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Known,
    MixError,
    Tensor,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import (
    known_sizes,
    refuse_rows_at,
    tensor,
)
from service.repository.row_independence.symbolic_sizes import Size, sized, unknown


def _first_alone(found: Tensor, others: Sequence[AbstractValue], what: str) -> None:
    """Check that only the first tensor holds rows, and in its first dimension."""
    if found.axis not in (None, 0):
        raise MixError(f"{what} over the rows")
    for other in others:
        if tensor(other).axis is not None:
            raise MixError("has weights that depend on the rows")


def _window(size: Size, window: int | None, step: int, padding: str, dilation: int) -> Size:
    known = size.known
    if window == step == 1:
        return size
    if padding == "SAME":
        if step == 1:
            return size
        return unknown() if known is None else Size(-(-known // step))
    if padding == "VALID" and known is not None and window is not None:
        reach = (window - 1) * dilation + 1
        return Size(max(0, -(-(known - reach + 1) // step)))
    return unknown()


def _convolve(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, weights = tensor(arguments[0]), tensor(arguments[1])
    _first_alone(found, arguments[1:], "convolves")
    rank = found.rank
    steps = node.integers("strides") or [1] * rank
    dilations = node.integers("dilations") or [1] * rank
    layout = node.text("data_format", "NHWC")
    if len(steps) != rank or len(dilations) != rank or steps[0] != 1 or dilations[0] != 1:
        raise MixError("convolves in a way that cannot be followed")
    channels = 1 if layout.startswith("NC") else rank - 1
    spatial = [i for i in range(1, rank) if i != channels]
    shape = list(found.sizes)
    for i, axis in enumerate(spatial):
        window = weights.shape[i].known if weights.shape else None
        shape[axis] = _window(
            shape[axis], window, steps[axis], node.text("padding"), dilations[axis]
        )
    shape[channels] = unknown()
    if weights.shape:
        depth = weights.shape[-1]
        is_depthwise = node.op == "DepthwiseConv2dNative"
        shape[channels] = depth * weights.shape[-2] if is_depthwise else depth
    return Tensor(tuple(shape), found.axis, found.outer, found.inner)


def _convolve_back(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    """A transposed convolution: its first input is the shape of what it gives."""
    found = tensor(arguments[2])
    _first_alone(found, [arguments[1]], "convolves")
    if node.integers("strides")[:1] != [1]:
        raise MixError("convolves in a way that cannot be followed")
    shape = tuple(sized(size) for size in known_sizes(arguments[0], "a shape"))
    if found.axis is None:
        return Tensor(shape)
    if shape[0] != found.sizes[0] or any(size.rows for size in shape[1:]):
        raise MixError("makes another number of rows")
    return found.like(shape, 0)


def _pool(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    _first_alone(found, [], "pools")
    windows, steps = node.integers("ksize"), node.integers("strides")
    if len(windows) != found.rank or windows[0] != 1 or steps[0] != 1:
        raise MixError("pools over the rows")
    shape = [
        _window(size, window, step, node.text("padding"), 1) if i else size
        for i, (size, window, step) in enumerate(zip(found.sizes, windows, steps, strict=True))
    ]
    return Tensor(tuple(shape), found.axis, found.outer, found.inner)


def _bias(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    channels = 1 if node.text("data_format", "NHWC").startswith("NC") else found.rank - 1
    if found.axis == channels:
        raise MixError("combines the rows with values by their position")
    if tensor(arguments[1]).axis is not None:
        raise MixError("has weights that depend on the rows")
    return found


def _batch_norm(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    if node.flag("is_training", True):
        raise MixError("normalises by the mean and variance of all rows (is_training)")
    found = tensor(arguments[0])
    _first_alone(found, arguments[1:], "normalises")
    return [found, *[Tensor(None)] * 5]


def _pictures(
    dimensions: int,
) -> Callable[[Node, Sequence[AbstractValue]], AbstractValue]:
    """Work on the last ``dimensions`` of a tensor together, which must not be those of the rows."""

    def work(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
        found = tensor(arguments[0])
        _first_alone(found, arguments[1:], "works")
        refuse_rows_at(found, range(found.rank - dimensions, found.rank), "works over")
        return found

    return work


def _resize(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    _first_alone(found, arguments[1:], "resizes")
    target = [unknown(), unknown()]
    if isinstance(arguments[1], Known):
        target = [sized(size) for size in known_sizes(arguments[1], "a size")]
    if found.rank != 4 or len(target) != 2:
        raise MixError("resizes a tensor that is not of images")
    shape = (found.sizes[0], *target, found.sizes[3])
    return Tensor(shape, found.axis, found.outer, found.inner)


def _depth(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    _first_alone(found, [], "works")
    if found.rank != 4:
        raise MixError("works on a tensor that is not of images")
    shape = (found.sizes[0], unknown(), unknown(), unknown())
    return Tensor(shape, found.axis, found.outer, found.inner)


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    **dict.fromkeys(["Conv2D", "Conv3D", "DepthwiseConv2dNative"], _convolve),
    **dict.fromkeys(["Conv2DBackpropInput", "Conv3DBackpropInputV2"], _convolve_back),
    **dict.fromkeys(["MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"], _pool),
    **dict.fromkeys(["BiasAdd", "BiasAddV1"], _bias),
    **dict.fromkeys(["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"], _batch_norm),
    # The contrast is that of a whole picture, the others look at one pixel at a time.
    "AdjustContrastv2": _pictures(3),
    **dict.fromkeys(["LRN", "AdjustHue", "AdjustSaturation", "RGBToHSV", "HSVToRGB"], _pictures(1)),
    **dict.fromkeys(
        ["ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"], _resize
    ),
    **dict.fromkeys(["DepthToSpace", "SpaceToDepth"], _depth),
}
