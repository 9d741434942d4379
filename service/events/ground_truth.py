"""Truths as lines of JSON in the form that Amazon SageMaker's Model Monitor merges.

``{"groundTruthData": {"data": "...", "encoding": "CSV"}, "eventMetadata": {"eventId": "..."},
"eventVersion": "0"}``; SageMaker reads labels only, in the encoding CSV. A truth of several outputs
has the encoding JSON. Of a request with several rows, ``#`` and the row's number follow the id,
which has no ``#`` itself.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from service.events.event_records import EventRecord
from service.events.feedback_records import StoredTruth

_VERSION = "0"
_ROW = "#"


def ground_truth_lines(
    event: EventRecord, truths: list[StoredTruth], first_output: str
) -> Iterator[bytes]:
    """Yield a line for each truth of a request; an audit takes the place of a user's.

    Args:
        event: the request.
        truths: its truths.
        first_output: the name of the output that is the label, if it is the only one.
    """
    # "audit" comes before "user" in the alphabet, and in the store's order.
    by_row = {truth.instance: truth for truth in reversed(truths)}
    for row in sorted(by_row):
        values = by_row[row].values
        is_label = values.keys() == {first_output} and isinstance(
            values[first_output], str | int | float
        )
        label = values.get(first_output)
        # Truth values in JSON's words, which stand for them when they come back.
        is_text = is_label and not isinstance(label, bool)
        text = str(label) if is_text else orjson.dumps(label if is_label else values).decode()
        single = event.instances == 1
        yield orjson.dumps(
            {
                "groundTruthData": {"data": text, "encoding": "CSV" if is_label else "JSON"},
                "eventMetadata": {
                    "eventId": event.request_id if single else f"{event.request_id}{_ROW}{row}"
                },
                "eventVersion": _VERSION,
            }
        )


def feedback_of_line(line: bytes) -> dict[str, Any]:
    """Return what a line says, as an item of the body of ``:feedback``; a label stays text.

    Raises:
        ValueError: the line is in another form; the message says what is expected.
    """
    match orjson.loads(line):
        case {
            "groundTruthData": {"data": data, "encoding": str(encoding)},
            "eventMetadata": {"eventId": str(event_id)},
        } if isinstance(data, str | int | float):
            request_id, _, row = event_id.partition(_ROW)
            if row and not row.isdecimal():
                raise ValueError(f"expected a row's number after {_ROW}, not {row[:40]!r}")
            truth: Any = data
            if encoding.upper() == "JSON" and isinstance(data, str):
                truth = orjson.loads(data)
            return {"id": request_id, "row": int(row or 0), "truth": truth}
        case _:
            raise ValueError(
                'expected {"groundTruthData": {"data": ..., "encoding": ...}, '
                '"eventMetadata": {"eventId": ...}, "eventVersion": "0"}'
            )
