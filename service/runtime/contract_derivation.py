"""From TensorFlow's description of a SavedModel's signatures to a contract.

A ``SignatureDef`` is read as the protobuf message that it is; TensorFlow itself is not needed.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.contract import NUMPY_TYPES, Contract, Field, Signature
from service.repository.errors import RepositoryError

# What a SavedModel runs once when it is loaded or trained; listed as signatures, but none to call.
_NOT_TO_CALL = ("__saved_model_init_op", "__saved_model_train_op")
_ENCODINGS = {"coo_sparse": "a sparse tensor", "composite_tensor": "a tensor of several parts"}
# Of the dtypes whose names in messages are not their names elsewhere.
_NAMES = {"float": "float32", "double": "float64", "half": "float16"}
# A tensor of a TensorFlow 1 variable; what is fetched of it is a plain tensor.
_REFERENCE = "_ref"


@dataclass(frozen=True, slots=True)
class Derived:
    """What a SavedModel's own signatures say.

    Attributes:
        contract: the signatures that can be served.
        left_out: why the others cannot, a sentence each, by name.
    """

    contract: Contract
    left_out: Mapping[str, str]


def derive_contract(
    definitions: Mapping[str, Any], to_array: Callable[[Any], npt.NDArray[Any]]
) -> Derived:
    """Describe the signatures whose tensors are all of dtypes that JSON can carry.

    Args:
        definitions: ``SignatureDef`` messages by name.
        to_array: makes an array of a ``TensorProto``.
    """
    contract, left_out = {}, {}
    for name, definition in sorted(definitions.items()):
        if name in _NOT_TO_CALL:
            continue
        try:
            contract[name] = _signature(name, definition, to_array)
        except RepositoryError as error:
            left_out[name] = str(error)
    return Derived(contract, left_out)


def completed(promised: Contract, derived: Contract) -> Contract:
    """Return a contract that has what a card promises, and for the rest what was derived.

    The defaults of inputs are in the SavedModel, not in the card. What the card marks as sensitive
    is so in signatures that it does not describe as well: Keras exports each model twice, as
    ``serving_default`` and as ``serve``.
    """
    sensitive = {
        field.name
        for signature in promised.values()
        for field in (*signature.inputs, *signature.outputs)
        if field.sensitive
    }
    whole = {
        name: replace(
            signature,
            inputs=tuple(_marked(field, sensitive) for field in signature.inputs),
            outputs=tuple(_marked(field, sensitive) for field in signature.outputs),
        )
        for name, signature in derived.items()
    }
    for name, signature in promised.items():
        found = {field.name: field.default for field in derived[name].inputs}
        inputs = tuple(replace(field, default=found[field.name]) for field in signature.inputs)
        whole[name] = replace(signature, inputs=inputs)
    return whole


def _marked(field: Field, sensitive: Collection[str]) -> Field:
    return replace(field, sensitive=True) if field.name in sensitive else field


def tensor_name(info: Any) -> str:
    """Return the name of a ``TensorInfo``'s tensor; ``x`` is short for ``x:0``."""
    name: str = info.name
    return name if ":" in name else f"{name}:0"


def _signature(
    name: str, definition: Any, to_array: Callable[[Any], npt.NDArray[Any]]
) -> Signature:
    inputs = [_field("Input", key, info) for key, info in sorted(definition.inputs.items())]
    outputs = [_field("Output", key, info) for key, info in sorted(definition.outputs.items())]
    if not outputs:
        raise RepositoryError("It has no outputs.")
    unknown = definition.defaults.keys() - definition.inputs.keys()
    if unknown:
        raise RepositoryError(f"It has a default for {min(unknown)!r}, which is not an input.")
    for i, field in enumerate(inputs):
        if field.name in definition.defaults:
            inputs[i] = _with_default(field, definition.defaults[field.name], to_array)
    return Signature(name, tuple(inputs), tuple(outputs))


def _field(kind: str, name: str, info: Any) -> Field:
    encoding = info.WhichOneof("encoding")
    if encoding in _ENCODINGS:
        raise RepositoryError(f"{kind} {name!r} is {_ENCODINGS[encoding]}, not a dense one.")
    if not info.name:
        raise RepositoryError(f"{kind} {name!r} does not name a tensor of the graph.")
    dtype = _dtype(info)
    if dtype not in NUMPY_TYPES:
        raise RepositoryError(
            f"{kind} {name!r} is of dtype {dtype}; supported dtypes: {', '.join(NUMPY_TYPES)}."
        )
    return Field(name=name, dtype=dtype, shape=_shape(info))


def _shape(info: Any) -> tuple[int | None, ...] | None:
    # Where nothing is said of the shape, it is not that of a scalar.
    if not info.HasField("tensor_shape") or info.tensor_shape.unknown_rank:
        return None
    return tuple(None if d.size < 0 else int(d.size) for d in info.tensor_shape.dim)


def _dtype(info: Any) -> str:
    """Return TensorFlow's name of a tensor's dtype, as ``tf.DType.name`` has it."""
    known = info.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number.get(info.dtype)
    if known is None:
        return f"number {info.dtype}"
    name: str = known.name.removeprefix("DT_").lower().removesuffix(_REFERENCE)
    return _NAMES.get(name, name)


def _with_default(field: Field, proto: Any, to_array: Callable[[Any], npt.NDArray[Any]]) -> Field:
    if _dtype(proto) != field.dtype:
        raise RepositoryError(
            f"Input {field.name!r} is {field.dtype}, and its default {_dtype(proto)}."
        )
    try:
        array = to_array(proto)
    except (ValueError, TypeError) as error:
        raise RepositoryError(f"The default of {field.name!r} cannot be read.") from error
    shape = field.shape
    if shape is not None and not (
        len(shape) == array.ndim
        and all(size in (None, found) for size, found in zip(shape, array.shape, strict=True))
    ):
        raise RepositoryError(
            f"The default of {field.name!r} is of shape {list(array.shape)}, which the input "
            "does not take."
        )
    return replace(field, default=np.asarray(array, dtype=field.numpy_type))
