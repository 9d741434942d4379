"""The bounds of a message's parts, which are counted before any is made."""

from typing import Any

import pytest
from google.protobuf.message import DecodeError

from service.errors import ServiceError
from service.grpc.messages import message_class
from service.grpc.part_limits import PartLimits

INFER = message_class("inference.ModelInferRequest")
PREDICT = message_class("tensorflow.serving.PredictRequest")
EXAMPLES = message_class("tensorflow.serving.ClassificationRequest")


def check(kind: Any, data: bytes, most_messages: int = 50_000) -> None:
    PartLimits(kind, most_messages=most_messages).check(data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (INFER, b"\x32\x00" * 60_000),  # outputs
        (INFER, b"\x22\x00" * 60_000),  # entries of parameters
        (PREDICT, b"\x12\x00" * 60_000),  # entries of inputs
        (PREDICT, b"\x12\x80\x80\x80\x80\x00" * 60_000),  # with a length of five bytes
        (PREDICT, b"\x12\x06\x12\x04\x12\x02\x12\x00" * 20_000),  # dimensions of shapes of tensors
        (EXAMPLES, b"\x12\x04\x0a\x02\x0a\x00" * 20_000),
    ],
)
def test_too_many_messages_are_refused(kind: Any, data: bytes) -> None:
    kind.FromString(data)
    with pytest.raises(ServiceError, match="more than 50000 messages") as caught:
        check(kind, data)
    assert caught.value.status == 413


def test_too_many_strings_are_refused() -> None:
    with pytest.raises(ServiceError, match="more than 1000000 strings"):
        check(INFER, b"\x3a\x00" * 1_000_001)


def test_what_a_request_has_is_allowed() -> None:
    request = PREDICT()
    request.model_spec.name = "m"
    request.model_spec.version.value = 2**40
    tensor = request.inputs["x"]
    tensor.dtype, tensor.tensor_content = 1, b"\x12\x00" * 100_000
    tensor.tensor_shape.dim.add(size=-1)
    tensor.float_val.extend([1.5] * 50_000)
    tensor.int_val.extend([-1] * 10)
    check(PREDICT, request.SerializeToString(), most_messages=6)
    with pytest.raises(ServiceError):
        check(PREDICT, request.SerializeToString(), most_messages=5)


def test_fields_of_other_kinds_are_passed_over() -> None:
    numbers = b"\x29" + bytes(8) + b"\x2d" + bytes(4) + b"\x28\xff\xff\x01"
    check(PREDICT, numbers * 5_000)


@pytest.mark.parametrize("before", [b"", b"\x12", b"\x12\x00" * 40_000])
def test_a_number_is_not_read_to_the_end_of_the_message(before: bytes) -> None:
    with pytest.raises(DecodeError, match="more than ten bytes"):
        check(PREDICT, before + b"\xff" * 1_000_000)


@pytest.mark.parametrize(
    "end", [b"\x12", b"\x12\xff", b"\x13", b"\x0b\x0c", b"\xff" * 20, b"\x28\xff"]
)
def test_what_is_no_message_is_told(end: bytes) -> None:
    data = b"\x12\x00" * 40_000 + end
    with pytest.raises(DecodeError):
        check(PREDICT, data)
