"""Raw requests: a body that is the only input's bytes and nothing else."""

import math

import numpy as np

from service.api.codecs.oip.datatypes import datatype, wire_type
from service.api.codecs.oip.infer_request import InferRequest, find_signature
from service.api.codecs.oip.input_data import numbers_from_bytes
from service.api.codecs.oip.requested_outputs import RequestedOutput
from service.api.validation.arrays import check_array
from service.api.validation.error_messages import count_with_noun, shape_in_words
from service.api.validation.problems import InvalidValueError, Problems
from service.api.validation.tensors import Array
from service.errors import InvalidRequestError
from service.repository.contract import Contract, Field


def read_raw(
    data: bytes, contract: Contract, signature_name: str | None, *, limit: int
) -> InferRequest:
    """Return the request that a raw body stands for; all its outputs are requested as bytes.

    Numbers fill the shape's one free dimension; where there is another before it, for rows, it is
    one row. Text, or whatever else BYTES are, is one element as a whole.

    Raises:
        InvalidRequestError: the signature has not one input alone, its shape does not follow from
            the number of bytes, or the values are not the contract's.
    """
    signature = find_signature(contract, signature_name)
    if len(signature.inputs) != 1:
        raise InvalidRequestError(
            f"A raw body is for a signature with one input; {signature.name!r} takes "
            f"{', '.join(field.name for field in signature.inputs) or 'none'}."
        )
    field = signature.inputs[0]
    try:
        if field.dtype == "string":
            tensor = _element(field, data)
        else:
            # One more than is listed shows that there are more.
            tensor = _numbers(field, data, limit + 1)
    except InvalidValueError as error:
        problems = Problems(limit)
        problems.add_value("body", error)
        raise problems.error() from error
    outputs = tuple(RequestedOutput(output, binary=True) for output in signature.outputs)
    return InferRequest(signature, {field.name: tensor}, outputs, {field.name: "body"})


def _element(field: Field, data: bytes) -> Array:
    shape = (1,) if field.shape is None else field.shape
    if any(size not in (None, 1) for size in shape):
        message = f"A raw body is one string, and {field.name!r} takes {shape_in_words(shape)}."
        raise InvalidValueError(message)
    flat = np.empty(1, dtype=np.object_)
    flat[0] = data
    check_array(field, flat, limit=1)
    return flat.reshape([1] * len(shape))


def _numbers(field: Field, data: bytes, limit: int) -> Array:
    shape = list((None,) if field.shape is None else field.shape)
    if shape.count(None) > 1 and field.has_batch:
        shape[0] = 1
    fixed = math.prod(size for size in shape if size is not None) * wire_type(field).itemsize
    free = shape.count(None)
    # Rows without values are no bytes, however many they are.
    if free > 1 or not fixed:
        raise InvalidValueError(
            f"The shape of {field.name!r} does not follow from the size of a raw body."
        )
    if not data or len(data) % fixed or (not free and len(data) != fixed):
        times = "a multiple of " if free else ""
        raise InvalidValueError(
            f"Expected {times}{count_with_noun(fixed, 'byte')}, for {datatype(field)} of shape "
            f"{shape_in_words(shape)}, not {len(data)}."
        )
    flat = numbers_from_bytes(field, data, limit)
    check_array(field, flat, limit=limit)
    return flat.reshape([len(data) // fixed if size is None else size for size in shape])
