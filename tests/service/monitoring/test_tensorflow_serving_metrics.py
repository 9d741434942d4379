"""TensorFlow Serving's names for what is counted anyway."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from service.monitoring.exposition import exposition, samples
from service.monitoring.tensorflow_serving_metrics import (
    HISTOGRAMS,
    tensorflow_serving_exposition,
)
from service.settings.environment_variables import SettingError
from service.settings.settings import Settings
from tests.service.conftest import MakeApp
from tests.service.monitoring.conftest import Worker

PATH = "/monitoring/prometheus/metrics"
VARIABLE = "UNDERSTUDY_TENSORFLOW_SERVING_METRICS"


def test_what_all_workers_counted_under_tensorflow_servings_names(
    start: Callable[..., Worker], tmp_path: Path
) -> None:
    for version in ("1", "2"):
        start().tell(f"all half {version}")
    text = tensorflow_serving_exposition(samples(tmp_path, buckets_of=HISTOGRAMS)).decode()
    lines = text.splitlines()
    # The name begins with a colon, as it does there.
    assert ':tensorflow:serving:request_count{model_name="half",status="OK"} 2' in lines
    predict = 'API="Predict",entrypoint="REST",'
    latency = ":tensorflow:serving:request_latency"
    assert f'{latency}_bucket{{{predict}le="50000",model_name="half"}} 0' in lines
    # Observations of 0.1 s, in microseconds.
    assert f'{latency}_bucket{{{predict}le="100000",model_name="half"}} 2' in lines
    assert f'{latency}_bucket{{{predict}le="+Inf",model_name="half"}} 2' in lines
    assert f'{latency}_count{{{predict}model_name="half"}} 2' in lines
    assert f'{latency}_sum{{{predict}model_name="half"}} 200000.0' in lines
    runtime = ":tensorflow:serving:runtime_latency"
    assert f'{runtime}_count{{API="Predict",model_name="half",runtime="TF1"}} 2' in lines
    # Prometheus reads both together.
    families = text_string_to_metric_families(exposition(tmp_path).decode() + text)
    assert {f":tensorflow:serving:{n}" for n in ("request_latency", "runtime_latency")} <= {
        family.name for family in families
    }


@pytest.mark.parametrize(
    ("version", "status", "expected"),
    [
        ("1", 200, ['{model_name="m",status="OK"} 3']),
        ("1", 400, ['{model_name="m",status="INVALID_ARGUMENT"} 3']),
        ("", 503, ['{model_name="m",status="UNAVAILABLE"} 3']),
        ("", 418, ['{model_name="m",status="INVALID_ARGUMENT"} 3']),
        # Somebody asked for the model's status.
        ("", 200, []),
    ],
)
def test_statuses_are_grpcs(version: str, status: int, expected: list[str]) -> None:
    labels = {"model": "m", "version": version, "status": str(status)}
    text = tensorflow_serving_exposition([Sample("understudy_requests_total", labels, 3.0)])
    counts = [line for line in text.decode().splitlines() if "request_count{" in line]
    assert counts == [f":tensorflow:serving:request_count{each}" for each in expected]


def test_the_path_is_served_only_when_it_is_set(make_app: MakeApp) -> None:
    client = make_app().test_client()
    assert client.get(PATH).status_code == 404
    assert b":tensorflow:serving" not in client.get("/metrics").data
    client = make_app(tensorflow_serving_metrics=PATH).test_client()
    answer = client.get(PATH)
    assert b"# TYPE :tensorflow:serving:request_count counter" in answer.data
    assert b"understudy_workers_ready" in answer.data
    assert b":tensorflow:serving" not in client.get("/metrics").data
    assert client.get("/openapi.json").status_code == 200
    client = make_app(tensorflow_serving_metrics="/metrics").test_client()
    assert b":tensorflow:serving" in client.get("/metrics").data


@pytest.mark.parametrize("path", ["metrics", "/", "/v1/models", "/readyz", "/a b", "/ui/x", "/x/"])
def test_a_path_that_cannot_be_served_is_refused(path: str) -> None:
    with pytest.raises(SettingError, match=f"{VARIABLE}: Expected a path such as"):
        Settings.from_environ({VARIABLE: path})
