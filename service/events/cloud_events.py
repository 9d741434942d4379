"""Stored requests as CloudEvents 1.0 of the types that KServe's inference logger sends.

A request and its answer are two events with one id, in structured JSON. Their data is what
``:predict`` takes and gives. Extensions beside KServe's say what KServe does not know: the version,
the signature, the status, and with which probability the request is in the sample.
"""

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from service.events.event_records import EventRecord
from service.events.sampling import Reason
from service.repository.contract import Contract, Field, Signature

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"
_SOURCE = "understudy"
# KServe's logger leaves nothing out on purpose.
_CERTAIN = "1"


def cloud_event_lines(event: EventRecord) -> Iterator[bytes]:
    """Yield a line of JSON for a request, and another one for its answer if it has one."""
    known = {
        "specversion": "1.0",
        "id": event.request_id,
        "source": _SOURCE,
        "time": datetime.fromtimestamp(event.answered_at, UTC).isoformat(),
        "datacontenttype": "application/json",
        "inferenceservicename": event.model,
        "namespace": "default",
        "component": "predictor",
        "endpoint": "default",
        "modelversion": str(event.version),
        "signature": event.signature,
        "httpstatus": event.status,
        # CloudEvents has no numbers with fractions.
        "inclusionprobability": repr(event.probability),
        "samplingrate": repr(event.rate),
        "inclusionreason": str(event.reason),
    }
    rows = range(event.instances)
    data = {"instances": [event.row_of_inputs(row) for row in rows]}
    yield orjson.dumps({**known, "type": REQUEST, "data": data})
    if event.outputs is not None:
        answers = {"predictions": [event.row_of_outputs(row) for row in rows]}
        yield orjson.dumps({**known, "type": RESPONSE, "data": answers})


def records_of(
    lines: Iterable[tuple[int, bytes]], model: str, contract: Contract, version: int
) -> Iterator[EventRecord]:
    """Yield the requests of CloudEvents, each when its answer has come.

    What is sensitive by the contract is left out. Requests without an answer come last, if they say
    with which status they failed; others may still run.

    Args:
        lines: numbered lines of JSON, an event each; other models and types are passed over.
        model: the model's name.
        contract: of ``version``.
        version: stands for the version that events without ``modelversion`` were answered by.

    Raises:
        ValueError: a line is not such an event; the message names the line.
    """
    waiting: dict[str, dict[str, dict[str, Any]]] = {}
    for number, line in lines:
        try:
            event = orjson.loads(line)
            if not isinstance(event, dict) or not isinstance(event.get("id"), str):
                raise ValueError("expected a CloudEvent with an id")
            if event.get("type") not in (REQUEST, RESPONSE):
                continue
            if event.get("inferenceservicename", model) != model:
                continue
            pair = waiting.setdefault(event["id"], {})
            pair[event["type"]] = event
            if len(pair) == 2:
                del waiting[event["id"]]
                yield _record(pair[REQUEST], pair[RESPONSE], model, contract, version)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number}: {error}.") from error
    for pair in waiting.values():
        request = pair.get(REQUEST)
        if request is not None and "httpstatus" in request:
            yield _record(request, None, model, contract, version)


def _record(
    request: dict[str, Any],
    response: dict[str, Any] | None,
    model: str,
    contract: Contract,
    version: int,
) -> EventRecord:
    name = str(request.get("signature", "serving_default"))
    if name not in contract:
        raise ValueError(f"the contract of {model} has no signature {name!r}")
    signature = contract[name]
    inputs, instances = _columns(
        _data(request), ("instances", "inputs"), signature, signature.inputs
    )
    outputs = None
    if response is not None:
        outputs, _ = _columns(
            _data(response), ("predictions", "outputs"), signature, signature.outputs
        )
    probability = float(request.get("inclusionprobability", _CERTAIN))
    rate = float(request.get("samplingrate", _CERTAIN))
    if not 0 < probability <= 1 or not 0 <= rate <= 1:
        raise ValueError("expected probabilities from 0 to 1")
    return EventRecord(
        model=model,
        request_id=request["id"],
        answered_at=_seconds((response or request).get("time")),
        version=int(request.get("modelversion", version)),
        signature=name,
        status=int(request.get("httpstatus", 200)),
        instances=instances,
        probability=probability,
        rate=rate,
        reason=Reason(request.get("inclusionreason", Reason.SAMPLE)),
        inputs=orjson.dumps(inputs).decode(),
        outputs=None if outputs is None else orjson.dumps(outputs).decode(),
    )


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    if "data_base64" in event:
        data = orjson.loads(base64.b64decode(event["data_base64"], validate=True))
    elif isinstance(data, str):
        data = orjson.loads(data)
    if not isinstance(data, dict):
        raise ValueError("expected data that is a JSON object")
    return data


def _columns(
    data: dict[str, Any], keys: tuple[str, str], signature: Signature, fields: tuple[Field, ...]
) -> tuple[dict[str, Any], int]:
    """Return what is under one of the keys by name, without what is sensitive; and its rows."""
    by_rows, by_columns = keys
    only = fields[0].name if len(fields) == 1 else ""
    kept = {field.name for field in fields if not field.sensitive}
    rows = data.get(by_rows)
    if isinstance(rows, list) and rows:
        named = [row if isinstance(row, dict) else {only: row} for row in rows]
        columns = {name: [row.get(name) for row in named] for row in named for name in row}
        count = len(rows)
    elif by_columns in data:
        found = data[by_columns]
        columns = found if isinstance(found, dict) else {only: found}
        count = max((len(v) for v in columns.values() if isinstance(v, list)), default=1)
        if not signature.batched:
            # As ``columns_of`` stores what has no rows.
            columns, count = {name: [value] for name, value in columns.items()}, 1
    else:
        raise ValueError(f"expected data with {by_rows!r} or {by_columns!r}")
    unknown = columns.keys() - {field.name for field in fields}
    if unknown:
        raise ValueError(f"the contract has no field {min(unknown)!r}")
    return {name: value for name, value in columns.items() if name in kept}, count


def _seconds(time: Any) -> float:
    if not isinstance(time, str):
        return datetime.now(UTC).timestamp()
    return datetime.fromisoformat(time).timestamp()
