"""The fast path of ``:predict``: requests by rows and columns with which nothing is wrong.

Most requests are clean, and finding that out takes less time than being ready to say what is wrong:
no marshmallow, and each check is one pass over all rows. Whatever is not clean, or is unusual, is
left to the reader in ``predict_requests``. It makes the same tensors of a clean request, which
tests/service/api/codecs/tfserving/test_predict_fast_path.py checks.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from service.api.json.json_numbers import NumberArray
from service.api.validation.tensors import clean_scalars, clean_tensor, columns_are_scalars
from service.repository.contract import DEFAULT_SIGNATURE, Contract, Field, Signature
from service.repository.golden_examples import Tensors
from service.runtime.input_defaults import add_default_inputs, inputs_left_out

# Those that numpy has itself.
_FLOATS = ("float16", "float32", "float64")

RequestParts = tuple[Signature, Tensors, int | None, bool]


def clean_request_parts(
    document: Any, contract: Contract, default: str = DEFAULT_SIGNATURE
) -> RequestParts | None:
    """Return what makes a ``PredictRequest``, or ``None``.

    Args:
        document: a request's JSON, in which ``NumberArray`` stands for long arrays of numbers.
        contract: the model's.
        default: the name of the signature that is called if the request names none.
    """
    if type(document) is not dict:
        return None
    name = document.get("signature_name", default)
    if len(document) != 1 + ("signature_name" in document) or type(name) is not str:
        return None
    signature = contract.get(name or default)
    if signature is None:
        return None
    if "instances" in document:
        return _read_rows(signature, document["instances"])
    return _read_columns(signature, document["inputs"]) if "inputs" in document else None


def names_inputs(signature: Signature, value: Any) -> bool:
    """Whether ``value`` is an object of inputs by name, and not bytes for the only input."""
    if not isinstance(value, dict):
        return False
    is_bytes = value.keys() == {"b64"} and len(signature.inputs) == 1
    return not is_bytes or signature.inputs[0].name == "b64"


def _read_rows(signature: Signature, instances: Any) -> RequestParts | None:
    if type(instances) is NumberArray:
        count, columns = len(instances.array), _only(signature, instances)
    elif type(instances) is list and instances:
        named = names_inputs(signature, instances[0])
        count = len(instances)
        columns = _columns(signature, instances) if named else _only(signature, instances)
    else:
        return None
    if columns is None:
        return None
    inputs = _tensors([field for field in signature.inputs if field.name in columns], columns)
    if inputs is None:
        return None
    add_default_inputs(signature, inputs, count)
    return signature, inputs, count, columns_are_scalars(signature, columns)


def _columns(signature: Signature, instances: Sequence[Any]) -> dict[str, Any] | None:
    """Turn objects into a list for each input, with ``None`` where one was left out."""
    if set(map(type, instances)) != {dict}:
        return None
    left = inputs_left_out(signature, instances)
    names = [field.name for field in signature.inputs if field.name not in left]
    if set(map(len, instances)) == {len(names)}:
        # Where none is missing, none is unknown either.
        try:
            return {name: list(map(itemgetter(name), instances)) for name in names}
        except KeyError:
            return None
    if not all(map(set(names).issuperset, instances)):
        return None
    return {name: [row.get(name) for row in instances] for name in names}


def _read_columns(signature: Signature, value: Any) -> RequestParts | None:
    columns = value if names_inputs(signature, value) else _only(signature, value)
    # A column that is null as a whole is not one of nulls.
    if columns is None or None in columns.values():
        return None
    given = [field for field in signature.inputs if field.name in columns]
    missing = [field for field in signature.inputs if field.name not in columns]
    if len(given) != len(columns) or not all(field.may_be_absent for field in missing):
        return None
    inputs = _tensors(given, columns)
    if inputs is None or (signature.needs_equal_rows and len(_row_counts(inputs)) > 1):
        return None
    add_default_inputs(signature, inputs)
    return signature, inputs, None, columns_are_scalars(signature, columns)


def _row_counts(inputs: Tensors) -> set[int]:
    return {tensor.shape[0] for tensor in inputs.values() if tensor.ndim}


def _only(signature: Signature, value: Any) -> dict[str, Any] | None:
    return {signature.inputs[0].name: value} if len(signature.inputs) == 1 else None


def _tensors(fields: Sequence[Field], columns: Mapping[str, Any]) -> Tensors | None:
    inputs = {}
    scalars = [field for field in fields if _is_scalar(field, columns[field.name])]
    if len({(field.dtype, len(columns[field.name])) for field in scalars}) == 1:
        tensors = clean_scalars(scalars, [columns[field.name] for field in scalars])
        if tensors is None:
            return None
        inputs = {field.name: tensor for field, tensor in zip(scalars, tensors, strict=True)}
    for field in fields:
        if field.name not in inputs:
            tensor = clean_tensor(field, columns[field.name])
            if tensor is None:
                return None
            inputs[field.name] = tensor
    return {field.name: inputs[field.name] for field in fields}


def _is_scalar(field: Field, column: Any) -> bool:
    """Whether it is a column of single floats, of which ``clean_scalars`` takes many at a time."""
    is_float = field.dtype in _FLOATS and field.shape == (None,) and not field.choices
    return is_float and type(column) is list and bool(column)
