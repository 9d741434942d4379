"""What the store holds of a request, and what it gives back of each instance."""

from typing import Any

import numpy as np
import orjson
import pytest

from service.events.cloud_events import cloud_event_lines, records_of
from service.events.event_records import AnsweredRequest
from service.events.sampling import Inclusion, Reason
from service.repository.contract import Field, Signature
from tests.service.events.stores import unpacked

ROWS = Signature(
    "rows",
    (Field(name="x", dtype="float32", shape=(None,)),),
    (Field(name="y", dtype="float32", shape=(None, 1)),),
)
# Its answer is one, however long the list that it takes.
WHOLE = Signature(
    "whole",
    (Field(name="x", dtype="float32", shape=(None,)),),
    (Field(name="y", dtype="float32", shape=(1,)), Field(name="n", dtype="int32", shape=())),
)


def answered(signature: Signature, instances: int, **outputs: Any) -> AnsweredRequest:
    return AnsweredRequest(
        model="m",
        version=1,
        signature=signature,
        request_id="a",
        answered_at=0.0,
        status=200,
        instances=instances,
        inputs={"x": np.array([1, 2], np.float32)[:instances]},
        outputs={name: np.array(value) for name, value in outputs.items()},
        inclusion=Inclusion(1.0, 1.0, Reason.SAMPLE),
        size=0,
    )


def test_an_instance_is_a_row() -> None:
    record = unpacked(answered(ROWS, 2, y=[[3.0], [4.0]]))
    assert record.row_of_inputs(1) == {"x": 2.0}
    assert record.row_of_outputs(1) == {"y": [4.0]}


@pytest.mark.parametrize("y", [[3.0], [3.0, 4.0]])
def test_what_has_no_rows_is_one_instance(y: list[float]) -> None:
    record = unpacked(answered(WHOLE, 1, y=y, n=2))
    assert record.row_of_inputs(0) == {"x": [1.0]}
    assert record.row_of_outputs(0) == {"y": y, "n": 2}


def test_what_has_no_rows_is_logged_and_read_again() -> None:
    record = unpacked(answered(WHOLE, 1, y=[3.0], n=2))
    lines = list(cloud_event_lines(record))
    (found,) = records_of(enumerate(lines), "m", {"whole": WHOLE}, 1)
    assert (found.inputs, found.outputs) == (record.inputs, record.outputs)
    # By columns, as others log it.
    request = orjson.loads(lines[0])
    request |= {"data": {"inputs": {"x": [1.0, 2.0]}}, "httpstatus": 500}
    (found,) = records_of([(1, orjson.dumps(request))], "m", {"whole": WHOLE}, 1)
    assert found.instances == 1
    assert found.row_of_inputs(0) == {"x": [1.0, 2.0]}
