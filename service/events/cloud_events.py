"""Stored requests as CloudEvents 1.0 of the types that KServe's inference logger sends.

A request and its answer are two events with one id, in structured JSON. Their data is what
``:predict`` takes and gives. Extensions beside KServe's say what KServe does not know: the version,
the signature, the status, and with which probability the request is in the sample.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

from service.events.event_records import EventRecord
from service.events.sampling import Reason
from service.repository.contract import Contract, Field, Signature
from service.repository.json_files import shown

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"
_SOURCE = "understudy"
# KServe's logger leaves nothing out on purpose.
_CERTAIN = "1"
_MOST_ID = 128
# Of JSON values that are no number: bytes that are no text are an object.
_KINDS: Mapping[str, tuple[type, ...]] = {"string": (str, dict), "bool": (bool,)}

ContractOf = Callable[[int], Contract]


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
    lines: Iterable[tuple[int, bytes]], model: str, contract_of: ContractOf, version: int
) -> Iterator[EventRecord]:
    """Yield the requests of CloudEvents, each when its answer has come.

    What is sensitive by its version's contract is left out. Requests without an answer come last,
    if they say with which status they failed; others may still run.

    Args:
        lines: numbered lines of JSON, an event each; other models and types are passed over.
        model: the model's name.
        contract_of: returns the contract of a version, by which it answered.
        version: stands for the version that events without ``modelversion`` were answered by.

    Raises:
        ValueError: a line is not such an event; the message names the line.
    """
    waiting: dict[str, dict[str, tuple[int, dict[str, Any]]]] = {}
    for number, line in lines:
        with _named(number):
            event = orjson.loads(line)
            if not isinstance(event, dict) or not isinstance(event.get("id"), str):
                raise ValueError("expected a CloudEvent with an id")
            if event.get("type") not in (REQUEST, RESPONSE):
                continue
            if event.get("inferenceservicename", model) != model:
                continue
            pair = waiting.setdefault(event["id"], {})
            pair[event["type"]] = number, event
            if len(pair) < 2:
                continue
            del waiting[event["id"]]
            (_, request), (_, response) = pair[REQUEST], pair[RESPONSE]
            record = _record(request, response, model, contract_of, version)
        yield record
    for pair in waiting.values():
        number, request = pair.get(REQUEST, (0, {}))
        if "httpstatus" in request:
            with _named(number):
                record = _record(request, None, model, contract_of, version)
            yield record


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Let what is wrong with a line name it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"line {number}: {error}.") from error


def _record(
    request: dict[str, Any],
    response: dict[str, Any] | None,
    model: str,
    contract_of: ContractOf,
    version: int,
) -> EventRecord:
    request_id = request["id"]
    if not 0 < len(request_id) <= _MOST_ID or "#" in request_id or not request_id.isprintable():
        # Nobody could say what was true of it: not over HTTP, nor in a line of ground truth.
        raise ValueError(f"expected an id of 1 to {_MOST_ID} printable characters without '#'")
    version = _whole(request, "modelversion", version)
    contract = contract_of(version)
    name = str(request.get("signature", "serving_default"))
    if name not in contract:
        raise ValueError(f"the contract of {model} has no signature {name!r}")
    signature = contract[name]
    inputs, instances = _columns(
        _data(request), ("instances", "inputs"), signature, signature.inputs
    )
    if not instances:
        raise ValueError("expected at least one row")
    outputs = None
    if response is not None:
        outputs, _ = _columns(
            _data(response), ("predictions", "outputs"), signature, signature.outputs
        )
        _check_answers(signature, outputs, instances)
    probability = float(request.get("inclusionprobability", _CERTAIN))
    rate = float(request.get("samplingrate", _CERTAIN))
    reason = Reason(request.get("inclusionreason", Reason.SAMPLE))
    # Only for another reason may a request be stored where none is sampled.
    if not 0 <= rate <= probability <= 1 or not (rate if reason is Reason.SAMPLE else probability):
        raise ValueError("expected probabilities above 0 and up to 1, the rate's the smaller one")
    return EventRecord(
        model=model,
        request_id=request_id,
        answered_at=_seconds((response or request).get("time")),
        version=version,
        signature=name,
        status=_whole(request, "httpstatus", 200, most=599),
        instances=instances,
        probability=probability,
        rate=rate,
        reason=reason,
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
        named = [row if _is_by_name(row, only) else {only: row} for row in rows]
        names = dict.fromkeys(name for row in named for name in row)
        columns = {name: [row.get(name) for row in named] for name in names}
        count = len(rows)
    elif by_columns in data:
        found = data[by_columns]
        if isinstance(found, list) and any(isinstance(i, dict) and "datatype" in i for i in found):
            raise ValueError("tensors of the Open Inference Protocol cannot be imported")
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


def _is_by_name(row: Any, only: str) -> bool:
    """Whether a row has its values by name; bytes that are no text are an object as well."""
    return isinstance(row, dict) and (not only or only in row or row.keys() != {"b64"})


def _check_answers(signature: Signature, outputs: Mapping[str, Any], instances: int) -> None:
    """Check that there is an answer for each row, and of its output's kind: audits judge it."""
    for field in signature.outputs:
        values = outputs.get(field.name)
        if values is None or not signature.batched:
            continue
        if not isinstance(values, list) or len(values) != instances:
            raise ValueError(f"expected {instances} answers of {field.name!r}, one a row")
        if field.instance_shape == ():
            # A NaN has become null.
            kinds = (int, float, type(None)) if field.is_float else _KINDS.get(field.dtype, (int,))
            for value in values:
                if type(value) not in kinds:
                    raise ValueError(f"{field.name} is {shown(value)}, not of type {field.dtype}")


def _whole(event: Mapping[str, Any], name: str, default: int, *, most: int = 2**63 - 1) -> int:
    """Return a whole number of an event."""
    value = event.get(name, default)
    number = int(value) if str(value).isdecimal() and len(str(value)) < 20 else -1
    if not 0 <= number <= most:
        raise ValueError(f"expected {name} to be a whole number from 0 to {most}")
    return number


def _seconds(time: Any) -> float:
    if not isinstance(time, str):
        return datetime.now(UTC).timestamp()
    try:
        # By way of UTC: a time that has no year there could not go out again.
        return datetime.fromisoformat(time).astimezone(UTC).timestamp()
    except OverflowError as error:
        raise ValueError(f"{time!r} is no time of the years 1 to 9999") from error
