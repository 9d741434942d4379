"""An inference request: JSON and bytes to tensors, checked against a model's contract."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from service.api.arrays import check_array, shape_problem, shorten_shape
from service.api.codec import lifting
from service.api.codec.columns import fill_in, unequal_rows
from service.api.codec.numbers import Numbers
from service.api.codec.v2 import envelope
from service.api.codec.v2.classes import can_classify
from service.api.codec.v2.datatypes import ElementsError, datatype, unpack_elements, wire_type
from service.api.codec.v2.envelope import Problems
from service.api.problems import LONGEST_NAME, brackets, refusal
from service.api.tensors import Array, Index, TensorError, to_tensor
from service.api.wording import counted, describe, shorten
from service.errors import InvalidRequestError
from service.repository.contract import DEFAULT_SIGNATURE, Contract, Field, Signature
from service.repository.golden import Tensors

# What Triton keeps for itself; who sends it expects something of it.
_RESERVED = "triton_"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that is asked for.

    Attributes:
        field: which.
        binary: whether as bytes and not as JSON.
        classes: how many of the highest values to name instead of giving all; 0 gives all.
    """

    field: Field
    binary: bool = False
    classes: int = 0


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: a tensor for each of its inputs.
        outputs: what is asked for, in the order of the answer.
        places: the path of each input's data.
        nested: the inputs whose data came in nested lists, and not as one row of values.
        id: the client's name for the request, if it gave one.
    """

    signature: Signature
    inputs: Tensors
    outputs: tuple[Wanted, ...]
    places: Mapping[str, str]
    nested: Container[str] = ()
    id: str | None = None

    @property
    def instances(self) -> int:
        """How many instances are asked about."""
        first = next(iter(self.inputs.values()), None)
        return int(first.shape[0]) if first is not None and first.ndim else 1

    def place(self, name: str, index: Index) -> str:
        """Return the path by which the client knows the value of an input at an index."""
        path, shape = self.places[name], self.inputs[name].shape
        if name in self.nested:
            return f"{path}{brackets(index)}"
        whole = (*index, *(0 for _ in shape[len(index) :]))
        return f"{path}[{np.ravel_multi_index(whole, shape)}]" if whole else path

    def row(self, row: int) -> str:
        """Return the path of a row of all inputs."""
        if len(self.inputs) == 1:
            return self.place(next(iter(self.inputs)), (row,))
        return f"inputs[*].data, row {row}"


def find_signature(contract: Contract, name: str | None) -> Signature:
    """Return the signature that is asked for, or without a name the one that goes without saying.

    Raises:
        InvalidRequestError: there is no such signature, or there are several to choose from.
    """
    if name is None:
        name = next(iter(contract)) if len(contract) == 1 else DEFAULT_SIGNATURE
        if name not in contract:
            raise InvalidRequestError(
                f"The model has no signature {DEFAULT_SIGNATURE!r}; the parameter signature_name "
                f"must say which is meant: {', '.join(contract)}."
            )
    if name not in contract:
        raise InvalidRequestError(
            f"Serving signature name: {name[:LONGEST_NAME]!r} not found in signature def; "
            f"there are: {', '.join(contract)}."
        )
    return contract[name]


def read(
    document: Any, tail: bytes, contract: Contract, signature_name: str | None, *, limit: int
) -> InferRequest:
    """Check a request against a model's contract.

    Args:
        document: the JSON value; long arrays of numbers may be ``Numbers``.
        tail: the bytes after the JSON.
        contract: the model's.
        signature_name: the signature to call unless the request's parameters name one.
        limit: the most problems to report.

    Raises:
        InvalidRequestError: it is no request that the model takes; its details name the places.
    """
    arguments = (tail, contract, signature_name, limit)
    try:
        return _read(document, *arguments)
    except InvalidRequestError:
        # What is wrong is said of the values as any JSON parser reads them.
        return _read(lifting.plain(document), *arguments)


def _read(
    document: Any, tail: bytes, contract: Contract, signature_name: str | None, limit: int
) -> InferRequest:
    request, problems = envelope.check(document)
    if problems:
        raise refusal(problems, limit)
    parameters = request.get("parameters") or {}
    name = parameters.get("signature_name", signature_name)
    problems = _parameter_problems(parameters, name)
    if problems:
        raise refusal(problems, limit)
    signature = find_signature(contract, name)
    parts, problems = _divide(request["inputs"], tail)
    if problems:
        raise refusal(problems, limit)
    inputs, problems = _read_inputs(signature, request["inputs"], parts, limit)
    wanted, further = _read_outputs(
        signature,
        request.get("outputs") or [],
        binary=parameters.get("binary_data_output", False),
    )
    problems |= further
    if problems:
        raise refusal(problems, limit)
    fill_in(signature, inputs)
    items = request["inputs"]
    return InferRequest(
        signature,
        inputs,
        wanted,
        places={item["name"]: f"inputs[{i}].data" for i, item in enumerate(items)},
        nested={item["name"] for item in items if _is_nested(item.get("data"))},
        id=request.get("id"),
    )


def _parameter_problems(parameters: Mapping[str, Any], signature_name: Any) -> Problems:
    problems: Problems = {}
    if not (signature_name is None or isinstance(signature_name, str)):
        problems["parameters.signature_name"] = [
            f"Expected a string, not {shorten(signature_name)}."
        ]
    binary = parameters.get("binary_data_output", False)
    if not isinstance(binary, bool):
        problems["parameters.binary_data_output"] = [
            f"Expected true or false, not {shorten(binary)}."
        ]
    for key in parameters:
        if key.startswith(_RESERVED):
            problems[f"parameters.{key[:LONGEST_NAME]}"] = [
                f"Names that begin with {_RESERVED!r} are Triton's own."
            ]
    return problems


def _divide(items: Sequence[Mapping[str, Any]], tail: bytes) -> tuple[list[bytes | None], Problems]:
    """Give each input its bytes, or ``None`` to those whose data is JSON."""
    parts: list[bytes | None] = []
    position = 0
    for i, item in enumerate(items):
        parameters = item.get("parameters") or {}
        size, place = parameters.get("binary_data_size"), f"inputs[{i}]"
        if "shared_memory_region" in parameters:
            message = "This service shares no memory with clients; expected data in the request."
            return [], {f"{place}.parameters.shared_memory_region": [message]}
        if (size is None) is (item.get("data") is None):
            got = "neither" if size is None else "both"
            message = f"Expected 'data' or the parameter 'binary_data_size', not {got}."
            return [], {place: [message]}
        if size is None:
            parts.append(None)
            continue
        place = f"{place}.parameters.binary_data_size"
        if type(size) is not int or size < 0:
            return [], {place: [f"Expected a number of bytes, not {shorten(size)}."]}
        if position + size > len(tail):
            left = len(tail) - position
            return [], {place: [f"Expected at most the {counted(left, 'byte')} left, not {size}."]}
        parts.append(tail[position : position + size])
        position += size
    if position != len(tail):
        message = f"The body has {counted(len(tail) - position, 'byte')} more than its inputs."
        return [], {"": [message]}
    return parts, {}


def _read_inputs(
    signature: Signature,
    items: Sequence[Mapping[str, Any]],
    parts: Sequence[bytes | None],
    limit: int,
) -> tuple[Tensors, Problems]:
    fields = {field.name: field for field in signature.inputs}
    problems: Problems = {}
    inputs: Tensors = {}
    places: dict[str, str] = {}
    for i, (item, part) in enumerate(zip(items, parts, strict=True)):
        place, name = f"inputs[{i}]", item["name"]
        field = fields.get(name)
        if field is None:
            names = ", ".join(fields)
            problems[f"{place}.name"] = [
                f"Unknown input; signature {signature.name!r} takes {names}."
            ]
        elif name in places:
            problems[f"{place}.name"] = [f"{name!r} is {places[name]} already."]
        else:
            places[name] = place
            tensor, found = _read_input(field, item, part, place, limit)
            problems |= found
            if tensor is not None:
                inputs[name] = tensor
    missing = [
        f"Missing input {field.name!r}; expected {describe(field)}."
        for field in signature.inputs
        if field.name not in places and not field.optional
    ]
    if missing:
        problems["inputs"] = missing
    if not problems and signature.batched:
        problems = {f"{places[name]}.shape": [text] for name, text in unequal_rows(inputs).items()}
    return inputs, problems


def _read_input(
    field: Field, item: Mapping[str, Any], part: bytes | None, place: str, limit: int
) -> tuple[Array | None, Problems]:
    expected = datatype(field)
    if item["datatype"] != expected:
        message = f"Expected {expected!r}, not {shorten(item['datatype'])}."
        return None, {f"{place}.datatype": [message]}
    shape: list[int] = item["shape"]
    problem = shape_problem(field, shape)
    if problem:
        return None, {f"{place}.shape": [problem]}
    try:
        if part is None:
            return _from_json(field, item["data"], shape, limit), {}
        return _from_bytes(field, part, shape, limit), {}
    except _SizeError as error:
        at = "data" if part is None else "parameters.binary_data_size"
        return None, {f"{place}.{at}": [str(error)]}
    except TensorError as error:
        return None, {
            f"{place}.data{brackets(index)}": [text] for index, text in error.problems.items()
        }


class _SizeError(Exception):
    """There is more data than the shape says, or less; the message says so in a sentence."""


def _from_json(field: Field, data: Any, shape: Sequence[int], limit: int) -> Array:
    """Return JSON data, flat or nested as the shape says, as a tensor."""
    if type(data) is not list and type(data) is not Numbers:
        raise _SizeError(f"Expected a list of values, not {shorten(data)}.")
    if _is_nested(data):
        tensor = to_tensor(field, data, limit=limit)
        if tensor.shape != tuple(shape):
            raise _SizeError(
                f"Expected lists of shape {shorten_shape(shape)}, as 'shape' says, "
                f"not {shorten_shape(tensor.shape)}."
            )
        return tensor
    count, size = math.prod(shape), len(data.array if isinstance(data, Numbers) else data)
    if size != count:
        raise _SizeError(f"Expected {counted(count)}, as the shape says, not {size}.")
    flat = field if field.shape == (None,) else replace(field, shape=(None,))
    return to_tensor(flat, data, limit=limit).reshape(shape)


def _is_nested(data: Any) -> bool:
    if type(data) is Numbers:
        return data.array.ndim > 1
    return type(data) is list and bool(data) and type(data[0]) in (list, Numbers)


def _from_bytes(field: Field, data: bytes, shape: Sequence[int], limit: int) -> Array:
    """Return binary data as a tensor."""
    count = math.prod(shape)
    if field.dtype == "string":
        flat = _strings(data, count)
    else:
        wire = wire_type(field)
        if len(data) != count * wire.itemsize:
            expected = counted(count * wire.itemsize, "byte")
            raise _SizeError(
                f"Expected {expected}, for {datatype(field)} of shape {shorten_shape(shape)}, "
                f"not {len(data)}."
            )
        flat = numbers(field, data, limit)
    check_array(field, flat, limit=limit)
    return flat.reshape(shape)


def _strings(data: bytes, count: int) -> Array:
    try:
        elements = unpack_elements(data, count)
    except ElementsError as error:
        raise TensorError({(): str(error)}) from error
    flat = np.empty(count, dtype=np.object_)
    flat[:] = elements
    return flat


def numbers(field: Field, data: bytes, limit: int) -> Array:
    """Return numbers, or booleans, as they travel as a flat array of the field's dtype.

    Raises:
        TensorError: a boolean is neither 0 nor 1; it names up to ``limit`` places.
    """
    if field.dtype == "bool":
        codes = np.frombuffer(data, np.uint8)
        if codes.size and codes.max() > 1:
            raise TensorError(
                {
                    (int(i),): f"Expected a byte of 0 or 1, not {codes[i]}."
                    for i in np.flatnonzero(codes > 1)[:limit]
                }
            )
        return codes.view(np.bool_)
    # In the order and alignment that TensorFlow takes without another look.
    return np.require(np.frombuffer(data, wire_type(field)), field.numpy_type, "A")


def _read_outputs(
    signature: Signature, items: Sequence[Mapping[str, Any]], *, binary: bool
) -> tuple[tuple[Wanted, ...], Problems]:
    if not items:
        return tuple(Wanted(field, binary) for field in signature.outputs), {}
    fields = {field.name: field for field in signature.outputs}
    wanted: dict[str, Wanted] = {}
    problems: Problems = {}
    for i, item in enumerate(items):
        place, name = f"outputs[{i}]", item["name"]
        field = fields.get(name)
        if field is None:
            names = ", ".join(fields)
            problems[f"{place}.name"] = [
                f"Unknown output; signature {signature.name!r} gives {names}."
            ]
        elif name in wanted:
            problems[f"{place}.name"] = [f"{name!r} is asked for already."]
        else:
            parameters = item.get("parameters") or {}
            found = _output_problems(field, parameters)
            problems |= {f"{place}.parameters.{key}": [text] for key, text in found.items()}
            wanted[name] = Wanted(
                field,
                parameters.get("binary_data", binary),
                parameters.get("classification", 0),
            )
    return tuple(wanted.values()), problems


def _output_problems(field: Field, parameters: Mapping[str, Any]) -> dict[str, str]:
    problems = {}
    binary = parameters.get("binary_data", False)
    if not isinstance(binary, bool):
        problems["binary_data"] = f"Expected true or false, not {shorten(binary)}."
    count = parameters.get("classification", 0)
    if type(count) is not int or count < 0:
        problems["classification"] = f"Expected a number of classes, not {shorten(count)}."
    elif count and not can_classify(field):
        problems["classification"] = (
            f"Classes have numbers as scores, and {field.name!r} is {datatype(field)}."
        )
    if "shared_memory_region" in parameters:
        problems["shared_memory_region"] = "This service shares no memory with clients."
    return problems
