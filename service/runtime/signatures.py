"""From TensorFlow's description of a SavedModel's signatures to a contract.

A ``SignatureDef`` is read as the protobuf message that it is; TensorFlow itself is not needed.
"""

from collections.abc import Mapping
from typing import Any

from service.repository.contract import Contract, Field, Signature
from service.repository.errors import RepositoryError


def derive_contract(definitions: Mapping[str, Any]) -> Contract:
    """Describe the signatures whose tensors are all of dtypes that JSON can carry.

    Args:
        definitions: ``SignatureDef`` messages by name.
    """
    contract = {}
    for name, definition in sorted(definitions.items()):
        try:
            inputs, outputs = _fields(definition.inputs), _fields(definition.outputs)
        except RepositoryError:
            continue
        contract[name] = Signature(name, inputs, outputs)
    return contract


def _fields(tensors: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(_field(name, info) for name, info in sorted(tensors.items()))


def _field(name: str, info: Any) -> Field:
    # Initialisers are listed as signatures too; what they "give" is an operation, of no dtype.
    if info.WhichOneof("encoding") != "name" or not info.dtype:
        raise RepositoryError(f"{name} is not a dense tensor.")
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(None if d.size < 0 else int(d.size) for d in info.tensor_shape.dim)
    return Field(name=name, dtype=_dtype(info), shape=shape)


def _dtype(info: Any) -> str:
    """Return TensorFlow's name of a tensor's dtype, as ``tf.DType.name`` has it."""
    numbers = info.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number
    name = numbers[info.dtype].name.removeprefix("DT_").lower()
    return {"float": "float32", "double": "float64", "half": "float16"}.get(name, name)
