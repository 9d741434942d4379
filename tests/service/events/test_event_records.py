"""What the store holds of a request, and what it gives back of each instance."""

import time
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
    (found,) = records_of(enumerate(lines), "m", lambda version: {"whole": WHOLE}, 1)
    assert (found.inputs, found.outputs) == (record.inputs, record.outputs)
    # By columns, as others log it.
    request = orjson.loads(lines[0])
    request |= {"data": {"inputs": {"x": [1.0, 2.0]}}, "httpstatus": 500}
    (found,) = records_of([(1, orjson.dumps(request))], "m", lambda version: {"whole": WHOLE}, 1)
    assert found.instances == 1
    assert found.row_of_inputs(0) == {"x": [1.0, 2.0]}


def events(rows: list[Any], answers: list[Any], **more: Any) -> list[tuple[int, bytes]]:
    """Lines of a request and its answer, as others log them."""
    kind, known = "org.kubeflow.serving.inference.", {"id": "a", **more}
    both = (("request", {"instances": rows}), ("response", {"predictions": answers}))
    return [
        (number, orjson.dumps({**known, "type": kind + name, "data": data}))
        for number, (name, data) in enumerate(both, 1)
    ]


def test_a_request_of_many_rows_is_read_in_time() -> None:
    """Each value was looked at once for every row: minutes for a request that can be stored."""
    names = [f"x{place}" for place in range(10)]
    inputs = tuple(Field(name=name, dtype="float32", shape=(None,)) for name in names)
    contract = {"serving_default": Signature("serving_default", inputs, ROWS.outputs)}
    lines = events([dict.fromkeys(names, 1.0)] * 10_000, [{"y": [1.0]}] * 10_000)
    began = time.thread_time()
    (found,) = records_of(lines, "m", lambda version: contract, 1)
    assert time.thread_time() - began < 5
    assert (found.instances, found.row_of_inputs(9_999)["x9"]) == (10_000, 1.0)


def test_bytes_are_a_value_as_they_are_in_a_request() -> None:
    picture = Field(name="picture", dtype="string", shape=(None,))
    contract = {"serving_default": Signature("serving_default", (picture,), ROWS.outputs)}
    (found,) = records_of(events([{"b64": "/w=="}], [[1.0]]), "m", lambda version: contract, 1)
    assert found.row_of_inputs(0) == {"picture": {"b64": "/w=="}}
    # Two inputs have none that it could be of.
    text = Field(name="text", dtype="string", shape=(None,))
    contract = {"serving_default": Signature("serving_default", (picture, text), ROWS.outputs)}
    with pytest.raises(ValueError, match=r"line 2: the contract has no field 'b64'"):
        list(records_of(events([{"b64": "/w=="}], [[1.0]]), "m", lambda version: contract, 1))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_cannot_go_out_again_does_not_come_in(time: str) -> None:
    lines = events([1.0], [[1.0]], time=time, signature="rows")
    with pytest.raises(ValueError, match=r"line 2: .* is no time of the years 1 to 9999\."):
        list(records_of(lines, "m", lambda version: {"rows": ROWS}, 1))


def test_each_request_is_read_by_the_contract_of_the_version_that_answered() -> None:
    """A later version may answer with something else, and keep nothing back."""
    number, text = (Field(name="y", dtype=dtype, shape=(None,)) for dtype in ("float32", "string"))
    private = Field(name="x", dtype="float32", shape=(None,), sensitive=True)
    first = Signature("serving_default", (private,), (number,))
    latest = Signature("serving_default", ROWS.inputs, (text,))
    contracts = {1: {"serving_default": first}, 2: {"serving_default": latest}}
    lines = [
        *events([1.0], [3.5], id="old", modelversion="1"),
        *events([2.0], ["b"], id="new", modelversion="2"),
        *events([3.0], ["c"], id="not said"),
    ]
    found = list(records_of(lines, "m", contracts.__getitem__, 2))
    assert [(each.version, each.inputs, each.outputs) for each in found] == [
        (1, "{}", '{"y":[3.5]}'),
        (2, '{"x":[2.0]}', '{"y":["b"]}'),
        (2, '{"x":[3.0]}', '{"y":["c"]}'),
    ]
