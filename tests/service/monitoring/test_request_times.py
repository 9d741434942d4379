"""How long predictions took, as read from metrics: what was observed, bucket by bucket."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Run in processes of their own: the library chooses where it keeps values when it is imported.
OBSERVE = """
from service.monitoring.metric_catalogue import REQUEST_SECONDS
from service.monitoring.prometheus_metrics import Metrics
metrics = Metrics()
version = metrics.version("m", "1")
for seconds in (0.0002, 0.0002, 0.02, 99.0):
    version.request_seconds.observe(seconds)
version.failure_seconds.observe(99.0)
metrics.version("m", "2").request_seconds.observe(REQUEST_SECONDS[0])
"""
READ = """
import dataclasses, json
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.request_times import read_request_times
found = read_request_times(metrics if "metrics" in dir() else Metrics())
print(json.dumps({"/".join(key): dataclasses.asdict(times) for key, times in found.items()}))
"""


ALONE = [OBSERVE + READ]
TOGETHER = [OBSERVE, OBSERVE, OBSERVE, READ]


@pytest.mark.parametrize(("scripts", "workers"), [(ALONE, 1), (TOGETHER, 3)])
def test_every_observation_is_in_its_bucket(
    tmp_path: Path, repository_root: Path, scripts: list[str], workers: int
) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    if workers == 1:
        del environment["PROMETHEUS_MULTIPROC_DIR"]
    for script in scripts:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=repository_root,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout)
    assert found.keys() == {"m/1", "m/2"}
    assert (found["m/1"]["requests"], found["m/1"]["failures"]) == (4 * workers, workers)
    buckets = found["m/1"]["buckets"]
    assert len(buckets) == 18
    held = {i: count for i, count in enumerate(buckets) if count}
    assert held == {1: 2 * workers, 7: workers, 17: workers}
    assert found["m/2"] == {
        "requests": workers,
        "failures": 0,
        "buckets": [workers, *[0] * 17],
    }
