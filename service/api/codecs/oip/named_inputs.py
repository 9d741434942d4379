"""The inputs of a request: which bytes belong to which, and tensors by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from service.api.codecs.oip.datatypes import datatype
from service.api.codecs.oip.input_data import check_size, tensor_from_bytes, tensor_from_json
from service.api.validation.arrays import check_shape
from service.api.validation.error_messages import count_with_noun, describe_expected_value, shorten
from service.api.validation.problems import InvalidValueError, Problems, invalid_request
from service.api.validation.row_counts import check_equal_rows
from service.api.validation.tensors import Array
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors


class InputData(Protocol):
    """The values of one input, in any form.

    Attributes:
        size_key: what of the request says how many values there are, for messages.
        data_key: what of the request holds them.
    """

    @property
    def size_key(self) -> str: ...
    @property
    def data_key(self) -> str: ...
    def check_size(self, field: Field, shape: Sequence[int]) -> None:
        """Check that there are as many values as a shape has.

        Raises:
            InvalidValueError: there are not.
        """

    def tensor(self, field: Field, shape: Sequence[int], limit: int) -> Array:
        """Return the values as a tensor.

        Raises:
            InvalidValueError: values are not what the field takes; it names up to ``limit``.
        """


@dataclass(frozen=True, slots=True)
class JsonData:
    """Values in JSON."""

    value: Any
    size_key: str
    data_key: str

    def check_size(self, field: Field, shape: Sequence[int]) -> None:
        """Leave it to ``tensor``."""

    def tensor(self, field: Field, shape: Sequence[int], limit: int) -> Array:
        return tensor_from_json(field, self.value, shape, limit)


@dataclass(frozen=True, slots=True)
class BinaryData:
    """Values as bytes."""

    value: bytes
    size_key: str
    data_key: str

    def check_size(self, field: Field, shape: Sequence[int]) -> None:
        check_size(field, self.value, shape)

    def tensor(self, field: Field, shape: Sequence[int], limit: int) -> Array:
        return tensor_from_bytes(field, self.value, shape, limit)


def data_by_input(items: Sequence[Mapping[str, Any]], tail: bytes) -> list[InputData]:
    """Return the data of each input: its JSON, or its part of the bytes after the JSON.

    Raises:
        InvalidRequestError: an input does not say which bytes belong to it, or some belong to
            none.
    """
    parts: list[InputData] = []
    position = 0
    for i, item in enumerate(items):
        parameters = item.get("parameters") or {}
        size, path = parameters.get("binary_data_size"), f"inputs[{i}]"
        if "shared_memory_region" in parameters:
            message = "This service shares no memory with clients; expected data in the request."
            raise invalid_request(f"{path}.parameters.shared_memory_region", message)
        if (size is None) is (item.get("data") is None):
            got = "neither" if size is None else "both"
            message = f"Expected 'data' or the parameter 'binary_data_size', not {got}."
            raise invalid_request(path, message)
        if size is None:
            parts.append(JsonData(item["data"], f"{path}.data", f"{path}.data"))
            continue
        data_key, path = f"{path}.data", f"{path}.parameters.binary_data_size"
        if type(size) is not int or size < 0:
            raise invalid_request(path, f"Expected a number of bytes, not {shorten(size)}.")
        if position + size > len(tail):
            left = len(tail) - position
            raise invalid_request(
                path, f"Expected at most the {count_with_noun(left, 'byte')} left, not {size}."
            )
        parts.append(BinaryData(tail[position : position + size], path, data_key))
        position += size
    if position != len(tail):
        message = (
            f"The body has {count_with_noun(len(tail) - position, 'byte')} more than its inputs."
        )
        raise invalid_request("", message)
    return parts


def read_inputs(
    signature: Signature,
    items: Sequence[Mapping[str, Any]],
    parts: Sequence[InputData],
    problems: Problems,
) -> Tensors:
    """Return the tensors that a request brings by name; what is wrong is added to ``problems``.

    Args:
        signature: which takes them.
        items: the request's inputs, their envelopes checked.
        parts: the data of each of them.
        problems: of the request.
    """
    fields = {field.name: field for field in signature.inputs}
    inputs: Tensors = {}
    paths: dict[str, str] = {}
    for i, (item, part) in enumerate(zip(items, parts, strict=True)):
        if problems.are_too_many:
            break
        path, name = f"inputs[{i}]", item["name"]
        field = fields.get(name)
        if field is None:
            names = ", ".join(fields)
            problems.add(
                f"{path}.name",
                f"Unknown input {shorten(name)}; signature {signature.name!r} takes {names}.",
            )
        elif name in paths:
            problems.add(f"{path}.name", f"{name!r} is {paths[name]} already.")
        else:
            paths[name] = path
            tensor = _read_input(field, item, part, path, problems)
            if tensor is not None:
                inputs[name] = tensor
    missing = [
        f"Missing input {field.name!r}; expected {describe_expected_value(field)}."
        for field in signature.inputs
        if field.name not in paths and not field.may_be_absent
    ]
    if missing:
        problems.add("inputs", *missing)
    if not problems and signature.needs_equal_rows:
        check_equal_rows(inputs, problems, lambda name: f"{paths[name]}.shape")
    return inputs


def _read_input(
    field: Field, item: Mapping[str, Any], part: InputData, path: str, problems: Problems
) -> Array | None:
    """Return an input's tensor; ``None`` where it is wrong, which is added to ``problems``."""
    expected = datatype(field)
    if item["datatype"] != expected:
        problems.add(f"{path}.datatype", f"Expected {expected!r}, not {shorten(item['datatype'])}.")
        return None
    shape: list[int] = item["shape"]
    meant = shape_meant(field, shape)
    # Which part of the input is checked now, so that an error can name it.
    key = f"{path}.shape"
    try:
        check_shape(field, meant, shape)
        # The tensor is read in the shape that was sent, so that indices are the client's.
        sent = field if meant is shape else replace(field, shape=(None,) * len(shape))
        key = part.size_key
        part.check_size(sent, shape)
        key = part.data_key
        # One more than is listed shows that there are more.
        return part.tensor(sent, shape, problems.limit + 1).reshape(meant)
    except InvalidValueError as error:
        problems.add_value(key, error)
        return None


def shape_meant(field: Field, shape: list[int]) -> list[int]:
    """Return the field's own shape where only a last dimension of 1 is too much or missing.

    A column is ``[N]`` to some and ``[N, 1]`` to others: to pandas, to MLServer's codecs, and in
    Triton's configurations, which cannot describe a row without dimensions.
    """
    if field.shape is None or max(len(shape), len(field.shape)) > 2:
        return shape
    if len(shape) == len(field.shape) + 1 and shape[-1] == 1:
        return shape[:-1]
    if len(shape) == len(field.shape) - 1 and field.shape[-1] == 1:
        return [*shape, 1]
    return shape
