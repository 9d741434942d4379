"""A model's configuration in Triton's form."""

from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format

from service.api.codecs.oip.model_config import model_config
from service.api.request_limits import Limits
from service.repository.contract import Field, Shape, Signature
from service.repository.model_policy import Policy
from service.settings.settings import Settings

LIMITS = Limits.from_settings(Settings(max_rows=500, max_queue=64, timeout_s=30.0, workers=2))


def config_of(
    *inputs: Field,
    outputs: tuple[Field, ...] = (),
    policy: Policy | None = None,
    rows_independent: bool | None = True,
) -> Any:
    signature = Signature("serving_default", inputs, outputs or inputs, rows_independent)
    config = model_config("m", signature, policy or Policy(), LIMITS)
    # It is Triton's own message, field by field.
    pb2 = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    json_format.ParseDict(config, pb2.ModelConfig())
    return config


@pytest.mark.parametrize(
    ("shape", "batch", "dims", "reshape"),
    [
        ((None,), 500, [1], {"shape": []}),
        ((None, 1), 500, [1], None),
        ((None, None, 3), 500, [-1, 3], None),
        ((), 0, [1], {"shape": []}),
        ((2, 3), 0, [2, 3], None),
        (None, 0, [-1], None),
    ],
)
def test_shapes_in_a_configuration(
    shape: Shape | None, batch: int, dims: list[int], reshape: Any
) -> None:
    config = config_of(Field(name="a", dtype="int64", shape=shape))
    assert config["max_batch_size"] == batch
    for (tensor,) in (config["input"], config["output"]):
        assert (tensor["data_type"], tensor["dims"]) == ("TYPE_INT64", dims)
        assert tensor.get("reshape") == reshape
    assert ("dynamic_batching" in config) is (batch > 0)


@pytest.mark.parametrize("rows_independent", [False, None])
def test_rows_that_may_depend_on_one_another_are_not_batched(rows_independent: bool | None) -> None:
    """The first dimension still counts rows, of which a request may have that many."""
    field = Field(name="a", dtype="float32", shape=(None, 2))
    config = config_of(field, rows_independent=rows_independent)
    assert config["max_batch_size"] == 500
    assert "dynamic_batching" not in config


@pytest.mark.parametrize(
    ("field", "optional"),
    [
        (Field(name="a", dtype="float32", shape=(None,)), False),
        (Field(name="a", dtype="float32", shape=(None,), nullable=True), True),
        (Field(name="a", dtype="float32", shape=(None, 2), nullable=True), False),
        (Field(name="a", dtype="int64", shape=(None, 2), default=np.zeros((1, 2), int)), True),
        (Field(name="a", dtype="string", shape=(), default=np.array(b"a", object)), True),
    ],
)
def test_what_a_request_may_leave_out_is_optional(field: Field, optional: bool) -> None:
    (described,) = config_of(field)["input"]
    assert described["optional"] is optional


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((None, 28, 28, 3), "FORMAT_NHWC"),
        ((None, None, None, 1), "FORMAT_NHWC"),
        ((None, 3, 224, 224), "FORMAT_NCHW"),
        ((None, 3, None, None), "FORMAT_NCHW"),
        ((8, 8, 4), "FORMAT_NHWC"),
        ((None, 28, 28), "FORMAT_NONE"),
        ((None, 5, 6, 7), "FORMAT_NONE"),
        ((None, 3, 3, 5), "FORMAT_NONE"),
    ],
)
def test_the_format_of_pictures(shape: Shape, expected: str) -> None:
    assert config_of(Field(name="a", dtype="uint8", shape=shape))["input"][0]["format"] == expected


def test_a_pinned_policy_in_a_configuration() -> None:
    config = config_of(Field(name="a", dtype="bool", shape=(None,)), policy=Policy(versions=(3, 7)))
    assert config["version_policy"] == {"specific": {"versions": [3, 7]}}
