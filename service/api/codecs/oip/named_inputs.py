"""The inputs of a request: whose bytes are whose, and tensors by name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.api.codecs.input_defaults import unequal_rows
from service.api.codecs.oip.datatypes import datatype
from service.api.codecs.oip.input_data import SizeError, from_bytes, from_json
from service.api.codecs.oip.request_envelope import Problems
from service.api.validation.arrays import shape_problem
from service.api.validation.messages import counted, describe, shorten
from service.api.validation.problems import brackets
from service.api.validation.tensors import Array, TensorError
from service.repository.contract import Field, Signature
from service.repository.golden import Tensors


def divide(items: Sequence[Mapping[str, Any]], tail: bytes) -> tuple[list[bytes | None], Problems]:
    """Divide the bytes after the JSON among the inputs.

    Returns:
        Each input's bytes, ``None`` for those whose data is JSON; and what is wrong by path.
    """
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


def read_inputs(
    signature: Signature,
    items: Sequence[Mapping[str, Any]],
    parts: Sequence[bytes | None],
    limit: int,
) -> tuple[Tensors, Problems]:
    """Read the inputs that a request brings.

    Args:
        signature: which takes them.
        items: the request's inputs, their envelopes checked.
        parts: what ``divide`` returned for them.
        limit: the most problems that one input reports, and of which all are reported.

    Returns:
        The tensors by name, and what is wrong by path.
    """
    fields = {field.name: field for field in signature.inputs}
    problems: Problems = {}
    inputs: Tensors = {}
    places: dict[str, str] = {}
    for i, (item, part) in enumerate(zip(items, parts, strict=True)):
        if len(problems) > limit:
            break
        place, name = f"inputs[{i}]", item["name"]
        field = fields.get(name)
        if field is None:
            names = ", ".join(fields)
            problems[f"{place}.name"] = [
                f"Unknown input {shorten(name)}; signature {signature.name!r} takes {names}."
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
        if field.name not in places and not field.may_be_absent
    ]
    if missing:
        problems["inputs"] = missing
    if not problems and signature.needs_equal_rows:
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
    meant = _meant(field, shape)
    if shape_problem(field, meant):
        return None, {f"{place}.shape": [shape_problem(field, shape)]}
    # What is read is what was sent, so that its places are the client's.
    sent = field if meant is shape else replace(field, shape=(None,) * len(shape))
    try:
        if part is None:
            tensor = from_json(sent, item["data"], shape, limit)
        else:
            tensor = from_bytes(sent, part, shape, limit)
        return tensor.reshape(meant), {}
    except SizeError as error:
        at = "data" if part is None else "parameters.binary_data_size"
        return None, {f"{place}.{at}": [str(error)]}
    except TensorError as error:
        return None, {
            f"{place}.data{brackets(index)}": [text] for index, text in error.problems.items()
        }


def _meant(field: Field, shape: list[int]) -> list[int]:
    """Return the field's own shape where only a last dimension of 1 is too much or missing.

    A column is ``[N]`` to some and ``[N, 1]`` to others: to pandas, to MLServer's codecs, and in
    Triton's configurations, which cannot tell of a row without dimensions.
    """
    if field.shape is None or max(len(shape), len(field.shape)) > 2:
        return shape
    if len(shape) == len(field.shape) + 1 and shape[-1] == 1:
        return shape[:-1]
    if len(shape) == len(field.shape) - 1 and field.shape[-1] == 1:
        return [*shape, 1]
    return shape
