"""Traces of a service that runs: from all workers, and none is lost when it stops."""

import json
import re
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import StartService
from tests.otlp import attributes_of, receiver
from tests.savedmodels.affine import publish_affine

pytest.importorskip("opentelemetry.sdk", reason="the extra traces is not installed")

BODY = {"signature_name": "only_y", "instances": [[1, 2]]}


def test_what_was_recorded_is_exported_before_the_workers_end(
    start_service: StartService, tmp_path: Path
) -> None:
    publish_affine(tmp_path / "models")
    with receiver() as received:
        service = start_service(
            tmp_path / "models",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.url,
            OTEL_SERVICE_NAME="night",
            OTEL_TRACES_SAMPLER="parentbased_always_off",
            # Nothing is exported before the end by itself.
            OTEL_BSP_SCHEDULE_DELAY="600000",
            UNDERSTUDY_LOG_FORMAT="json",
        )
        answers = {}
        for number in range(1, 21):
            parent = f"00-{number:032x}-{'b' * 16}-01"
            answer = service.post(
                "/v1/models/affine:predict", BODY, headers={"traceparent": parent}
            )
            assert answer.status_code == 200
            told = answer.headers["traceresponse"]
            assert re.fullmatch(rf"00-{number:032x}-[0-9a-f]{{16}}-01", told)
            assert answer.headers["Server-Timing"].startswith("parse;dur=")
            answers[told.split("-")[2]] = answer
        # Of one that is handed to gunicorn's protocol, and of one that its caller does not record.
        with requests.Session() as session:
            refused = session.post(
                f"{service.url}/v1/models/affine:predict",
                data=iter([b"{"]),
                headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
            )
            assert refused.status_code == 400
        answers[refused.headers["traceresponse"].split("-")[2]] = refused
        assert service.post("/v1/models/affine:predict", BODY).status_code == 200
        assert received.spans() == []
        assert service.stop() == 0
        recorded = {span.span_id.hex(): span for span in received.spans("request")}
    assert recorded.keys() == answers.keys()
    assert len(received.spans("batch")) == 20
    for span_id, answer in answers.items():
        found = attributes_of(recorded[span_id])
        assert found["understudy.request_id"] == answer.headers["X-Request-Id"]
        assert found["client.address"] == "127.0.0.1"
    assert {resource["service.name"] for resource in received.resources} == {"night"}
    lines = [json.loads(line) for line in service.errors.read_text().splitlines()]
    (failed,) = [line for line in lines if line.get("status") == 400]
    assert failed["trace_id"] == "a" * 32
    assert failed["span_id"] in answers
