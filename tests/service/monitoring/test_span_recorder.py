"""Requests become spans, received by OpenTelemetry's protocol over HTTP."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.access.key_file import new_key
from service.errors import ServiceError
from tests.otlp import Receiver, attributes_of, receiver
from tests.savedmodels.affine import publish_affine
from tests.service.conftest import served

pytest.importorskip("opentelemetry.sdk", reason="the extra traces is not installed")

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PREDICT = "/v1/models/affine:predict"
GOOD = {"signature_name": "only_y", "instances": [[1, 2]]}
PHASES = ["parse", "validate", "wait", "infer", "serialise"]


@dataclass
class Traced:
    """A service whose requests are traced."""

    client: FlaskClient
    received: Receiver
    lane: str

    def flush(self) -> None:
        recorder = self.client.application.extensions["traces"]
        assert recorder._provider.force_flush()

    def spans_of(self, trace_id: str) -> dict[str, Any]:
        """Return the spans of a trace by name, once they have come."""
        self.flush()
        found = [span for span in self.received.spans() if span.trace_id.hex() == trace_id]
        by_name = {span.name: span for span in found}
        assert len(by_name) == len(found)
        return by_name


@pytest.fixture(scope="module", params=["loop", "flask"])
def traced(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Traced]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    with pytest.MonkeyPatch.context() as patch, receiver() as received:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        patch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=night")
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
        with served(root, request.param) as client:
            yield Traced(client, received, request.param)
            client.application.extensions["traces"].close(10)


def ask(traced: Traced, body: Any = GOOD, **headers: str) -> tuple[Any, str]:
    """Return an answer, and the id of its trace."""
    response = traced.client.post(PREDICT, json=body, headers=headers)
    return response, response.headers["traceresponse"].split("-")[1]


def test_a_prediction_is_a_span_with_one_for_each_phase(traced: Traced) -> None:
    response, trace = ask(traced)
    spans = traced.spans_of(trace)
    expected = {"request", *PHASES} | ({"batch"} if traced.lane == "loop" else set())
    assert spans.keys() == expected
    request = spans["request"]
    assert request.parent_span_id == b""
    assert request.kind == 2  # SERVER
    assert request.status.code == 0
    found = attributes_of(request)
    # The loop's test client has no address.
    assert found.pop("client.address", "127.0.0.1") == "127.0.0.1"
    assert found == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.path": PREDICT,
        "understudy.model": "affine",
        "understudy.version": 1,
        "understudy.request_id": response.headers["X-Request-Id"],
    }
    # The header says what the spans do, and the ids are those that the client got.
    assert response.headers["traceresponse"] == f"00-{trace}-{request.span_id.hex()}-01"
    told = dict(part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    end = request.start_time_unix_nano
    for phase in PHASES:
        span = spans[phase]
        assert span.parent_span_id == request.span_id
        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        assert abs(seconds * 1000 - float(told[phase])) < 0.01
        # One after the other, to the rounding of doubles.
        assert span.start_time_unix_nano >= end - 10_000
        end = span.end_time_unix_nano
    assert request.end_time_unix_nano >= end - 10_000


def test_who_sends_is_named(traced: Traced) -> None:
    ask(traced)
    traced.flush()
    resource = traced.received.resources[-1]
    assert resource["service.name"] == "understudy"
    assert resource["deployment.environment"] == "test"
    assert traced.received.headers[-1]["x-tenant"] == "night"


def test_the_callers_trace_goes_on(traced: Traced) -> None:
    headers = {"traceparent": f"00-{'a' * 32}-{SPAN}-01", "tracestate": " vendor=x , ,other=y"}
    _, trace = ask(traced, **headers)
    assert trace == "a" * 32
    request = traced.spans_of(trace)["request"]
    assert request.parent_span_id.hex() == SPAN
    assert request.trace_state == "vendor=x,other=y"


def test_what_the_caller_does_not_record_is_not_recorded(traced: Traced) -> None:
    response, trace = ask(traced, traceparent=f"00-{'b' * 32}-{SPAN}-00")
    assert response.status_code == 200
    assert response.headers["traceresponse"].endswith("-00")
    assert trace == "b" * 32
    assert traced.spans_of(trace) == {}


def test_a_malformed_parent_begins_a_new_trace(traced: Traced) -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}", "tracestate": "a=1"}
    _, trace = ask(traced, **headers)
    assert trace != TRACE
    request = traced.spans_of(trace)["request"]
    assert (request.parent_span_id, request.trace_state) == (b"", "")


def test_a_refusal_shows_how_far_it_came(traced: Traced) -> None:
    _, trace = ask(traced, {"instances": [[1]]})
    spans = traced.spans_of(trace)
    assert spans.keys() == {"request", "parse", "validate"}
    assert attributes_of(spans["request"])["error.type"] == "INVALID_ARGUMENT"
    assert spans["request"].status.code == 0  # The client's mistake is no error of a server's.
    response, trace = ask(traced, **{"X-Request-Timeout-Ms": "0.001"})
    assert response.status_code == 504
    assert traced.spans_of(trace)["request"].status.code == 2
    missing = traced.client.post("/v1/models/nowhere:predict", json=GOOD)
    (request,) = traced.spans_of(missing.headers["traceresponse"].split("-")[1]).values()
    assert attributes_of(request)["http.response.status_code"] == 404
    assert "understudy.model" not in attributes_of(request)


def test_questions_are_not_recorded(traced: Traced) -> None:
    traced.flush()
    before = len(traced.received.spans())
    for path in ("/metrics", "/readyz", "/v1/models"):
        assert "traceresponse" not in traced.client.get(path).headers
    parent = {"traceparent": f"00-{'c' * 32}-{SPAN}-01"}
    answer = traced.client.get("/v1/models", headers=parent).headers["traceresponse"]
    assert answer.startswith(f"00-{'c' * 32}-")
    traced.flush()
    assert len(traced.received.spans()) == before


def test_a_batch_is_linked_to_its_requests(traced: Traced) -> None:
    if traced.lane != "loop":
        pytest.skip("Under WSGI each request runs by itself.")
    traced.flush()
    before = len(traced.received.spans())
    together = threading.Barrier(8)

    def one(number: int) -> str:
        together.wait()
        client = traced.client.application.test_client()
        # Every fourth is not recorded by its caller.
        flags = "00" if number % 4 == 0 else "01"
        parent = f"00-{number + 1:032x}-{SPAN}-{flags}"
        response = client.post(PREDICT, data=json.dumps(GOOD), headers={"traceparent": parent})
        assert response.status_code == 200
        return response.headers["traceresponse"]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(8)))
    traced.flush()
    spans = traced.received.spans()[before:]
    requests = {span.span_id.hex(): span for span in spans if span.name == "request"}
    assert requests.keys() == {a.split("-")[2] for a in answers if a.endswith("01")}
    batches = {span.span_id: span for span in spans if span.name == "batch"}
    linked = [link.span_id.hex() for batch in batches.values() for link in batch.links]
    assert sorted(linked) == sorted(requests)
    for batch in batches.values():
        found = attributes_of(batch)
        assert found["understudy.rows"] >= len(batch.links)
        assert (found["understudy.model"], found["understudy.signature"]) == ("affine", "only_y")
        # It is in the trace of its first request, whose decision whether to record it shares.
        assert batch.parent_span_id == batch.links[0].span_id
        assert batch.trace_id == batch.links[0].trace_id
    for span in spans:
        if span.name == "infer":
            (link,) = span.links
            ids = {each.span_id for each in batches[link.span_id].links}
            assert span.parent_span_id in ids


def test_a_request_of_many_batches_is_linked_to_each(traced: Traced) -> None:
    if traced.lane != "loop":
        pytest.skip("Under WSGI each request runs by itself.")
    _, trace = ask(traced, {"signature_name": "only_y", "instances": [[1, 2]] * 150})
    traced.flush()
    spans = [span for span in traced.received.spans() if span.trace_id.hex() == trace]
    batches = {span.span_id: attributes_of(span) for span in spans if span.name == "batch"}
    (infer,) = [span for span in spans if span.name == "infer"]
    assert {link.span_id for link in infer.links} == batches.keys()
    assert sorted(each["understudy.rows"] for each in batches.values()) == [22, 64, 64]


def test_a_receiver_that_hangs_keeps_no_worker() -> None:
    from opentelemetry.sdk.trace.export import SpanExporter

    from service.monitoring.span_recorder import SpanRecorder

    may_end = threading.Event()
    began = threading.Event()

    class Hangs(SpanExporter):
        def shutdown(self) -> None:
            began.set()
            may_end.wait(60)

    recorder = SpanRecorder([Hangs()])
    recorder.close(0.01)
    assert began.wait(60)
    may_end.set()


def test_a_name_that_is_no_utf_8_loses_no_other_span() -> None:
    """Models may be named so, as folders may; the exporter would drop all that it sends with it."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from service.monitoring.span_recorder import SpanRecorder

    exporter = InMemorySpanExporter()
    recorder = SpanRecorder([exporter])
    trace = recorder.begin({"REQUEST_METHOD": "POST", "PATH_INFO": "/v1/models/\xff:predict"})
    assert trace is not None
    about: dict[str, str | int] = {"understudy.model": "a\udcff", "understudy.key": ""}
    recorder.end(trace.recording, 1.0, about, [], ServiceError("It is \udcff.", status=500))
    recorder.close(60)
    (span,) = exporter.get_finished_spans()
    assert span.attributes == {
        "http.request.method": "POST",
        "url.path": "/v1/models/\ufffd:predict",
        "understudy.model": "a?",
        "error.type": "INTERNAL",
    }
    assert span.status.description == "It is ?."


def test_a_key_in_an_address_is_in_no_span() -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from service.monitoring.span_recorder import SpanRecorder

    key, _ = new_key("shop")
    exporter = InMemorySpanExporter()
    recorder = SpanRecorder([exporter])
    trace = recorder.begin({"REQUEST_METHOD": "POST", "PATH_INFO": f"/v1/models/{key}:predict"})
    assert trace is not None
    failure = ServiceError(f"{key} is full.", status=503)
    recorder.end(trace.recording, 1.0, {"understudy.request_id": key}, [], failure)
    recorder.close(60)
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["url.path"] == "/v1/models/(an API key):predict"
    assert key not in span.to_json()
