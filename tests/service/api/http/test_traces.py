"""``Server-Timing`` and W3C's trace context, on the loop and by Flask's routes."""

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.monitoring.prediction_phases import PHASES

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
PREDICT = "/v1/models/affine:predict"
GOOD = {"signature_name": "only_y", "instances": [[1, 2]]}


def timing(response: TestResponse) -> dict[str, float]:
    """Return the phases that an answer tells of, in their order, in milliseconds."""
    found = {}
    for item in response.headers["Server-Timing"].split(", "):
        name, milliseconds = re.fullmatch(r"([a-z]+);dur=([0-9]+\.[0-9]{3})", item).groups()  # type: ignore[union-attr]
        found[name] = float(milliseconds)
    return found


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PREDICT, GOOD),
        ("/v1/models/affine/versions/1:predict", GOOD),
        ("/v1/models/affine:regress", {"signature_name": "only_y", "examples": [{"x": [1, 2]}]}),
        (
            "/v2/models/affine/infer?signature_name=only_y",
            {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]},
        ),
        # More rows than a batch has.
        (PREDICT, {"signature_name": "only_y", "instances": [[1, 2]] * 200}),
        # Large enough to be parsed, and written, on threads.
        (PREDICT, {"signature_name": "only_y", "instances": [[1, 2]] * 10_000}),
    ],
)
def test_an_answer_says_what_its_phases_took(client: FlaskClient, path: str, body: Any) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    found = timing(response)
    assert tuple(found) == PHASES
    assert found["infer"] > 0
    # Tests take no time themselves, but no phase is a multiple of the whole.
    assert all(0 <= milliseconds < 60_000 for milliseconds in found.values())


@pytest.mark.parametrize(
    ("path", "body", "status", "phases"),
    [
        (PREDICT, b"{", 400, ("parse",)),
        (PREDICT, b"\xff", 400, ("parse",)),
        (PREDICT, json.dumps({"instances": [[1]]}), 400, ("parse", "validate")),
        (PREDICT, json.dumps({"instances": []}), 400, ("parse", "validate")),
        ("/v2/models/affine/infer", "[]", 400, ("parse",)),
    ],
)
def test_a_refusal_says_how_far_it_came(
    client: FlaskClient, path: str, body: Any, status: int, phases: tuple[str, ...]
) -> None:
    response = client.post(path, data=body, content_type="application/json")
    assert response.status_code == status
    assert tuple(timing(response)) in (phases, ("parse", "validate"))


def test_who_waited_in_vain_says_so(client: FlaskClient) -> None:
    """Its deadline was over before its batch, or the batch, began."""
    headers = {"X-Request-Timeout-Ms": "0.001"}
    response = client.post(PREDICT, json=GOOD, headers=headers)
    assert response.status_code == 504
    assert tuple(timing(response))[:2] == ("parse", "validate")
    assert "serialise" not in timing(response)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/models/nowhere:predict", GOOD), ("/v1/models/affine/versions/77:predict", GOOD)],
)
def test_who_reached_no_phase_says_nothing(client: FlaskClient, path: str, body: Any) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 404
    assert "Server-Timing" not in response.headers


def test_questions_have_no_phases(client: FlaskClient) -> None:
    for path in ("/v1/models", "/readyz", "/metrics", "/v2"):
        response = client.get(path)
        assert "Server-Timing" not in response.headers
        assert "traceresponse" not in response.headers


def ask(client: FlaskClient, *headers: tuple[str, str], body: Any = GOOD) -> TestResponse:
    return client.post(PREDICT, json=body, headers=list(headers))


def test_the_callers_trace_goes_on(client: FlaskClient) -> None:
    answers = [ask(client, ("traceparent", PARENT)).headers["traceresponse"] for _ in range(2)]
    for answer in answers:
        assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-00", answer)
        assert SPAN not in answer
    assert len(set(answers)) == 2
    # Also of a request that is refused, or that asks for no prediction.
    refused = ask(client, ("traceparent", PARENT), body={})
    assert TRACE in refused.headers["traceresponse"]
    asked = client.get("/v1/models", headers={"traceparent": PARENT})
    assert TRACE in asked.headers["traceresponse"]


def test_a_malformed_parent_is_ignored(client: FlaskClient) -> None:
    for headers in (
        [("traceparent", PARENT.upper())],
        [("traceparent", f"{PARENT}-more")],
        [("traceparent", PARENT), ("traceparent", PARENT)],
        [("traceparent", "")],
        [("traceparent", "x" * 2000)],
    ):
        response = ask(client, *headers)
        assert response.status_code == 200
        answer = response.headers["traceresponse"]
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", answer)
        assert TRACE not in answer


def test_without_a_parent_there_is_no_trace(client: FlaskClient) -> None:
    assert "traceresponse" not in ask(client).headers
    assert "traceresponse" not in ask(client, ("tracestate", "a=1")).headers


def test_log_lines_have_the_ids(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    response = ask(client, ("traceparent", PARENT), body={})
    other = ask(client, body={})
    by_id = {
        record.fields["request_id"]: record.fields  # type: ignore[attr-defined]
        for record in caplog.records
        if hasattr(record, "fields") and "request_id" in record.fields
    }
    fields = by_id[response.headers["X-Request-Id"]]
    _, trace, span, _ = response.headers["traceresponse"].split("-")
    assert (fields["trace_id"], fields["span_id"]) == (trace, span)
    assert trace == TRACE
    assert "trace_id" not in by_id[other.headers["X-Request-Id"]]
