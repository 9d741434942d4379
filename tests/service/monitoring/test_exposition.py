"""What our exposition says is what prometheus_client's own collector says."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from prometheus_client.parser import text_string_to_metric_families

from service.monitoring.exposition import exposition

# Run in processes of their own: the library chooses where it keeps values when it is imported.
COUNT = """
import random, sys
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from service.monitoring.prometheus_metrics import Metrics

draw = random.Random(int(sys.argv[1]))
metrics = Metrics()
for model in ("plain", 'quo"ted', "back\\\\slash", "new\\nline", "\\u00e9"):
    version = metrics.version(model, "1")
    for name in ("parse", "validate", "wait", "infer", "serialise", "request_seconds"):
        for _ in range(draw.randrange(4)):
            getattr(version, name).observe(draw.expovariate(10))
    version.predictions("serving_default").inc(draw.randrange(1, 10**9))
    metrics.answered(model, "1", 200).inc()
    metrics.live_version.labels(model).set(draw.randrange(5))
    metrics.live_since.labels(model).set(draw.random() * 1e9)
    metrics.last_refusal.labels(model, "golden").set(draw.random() * 1e9)
metrics.in_flight.inc(3)
metrics.workers_ready.set(1)
own = CollectorRegistry()
Gauge("least", "The least.", multiprocess_mode="min", registry=own).set(draw.random())
Gauge("most", "The most.", multiprocess_mode="max", registry=own).set(draw.random())
Summary("some", "Some, with a \\\\ and a \\n.", ["a"], registry=own).labels("x").observe(0.5)
Histogram("bare", "Without labels.", registry=own).observe(float("inf"))
Counter("odd", "A large number.", registry=own).inc(1e22)
"""


def families(text: bytes) -> dict[str, object]:
    return {
        family.name: (
            family.type,
            family.documentation,
            # Floats are added in the order of the files, which is as good as random.
            {
                (s.name, tuple(sorted(s.labels.items()))): float(f"{s.value:.12g}")
                for s in family.samples
            },
        )
        for family in text_string_to_metric_families(text.decode())
    }


def test_it_says_what_the_library_says(tmp_path: Path, repository_root: Path) -> None:
    for seed in ("1", "2", "3"):
        subprocess.run(
            [sys.executable, "-c", COUNT, seed],
            cwd=repository_root,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            check=True,
        )
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(tmp_path))
    expected = families(generate_latest(registry))
    assert len(expected) > 12
    assert families(exposition(tmp_path)) == expected


def test_an_empty_folder_says_nothing(tmp_path: Path) -> None:
    assert exposition(tmp_path) == b""


SET = """
import sys, time
from service.monitoring.prometheus_metrics import Metrics

ahead_s, value = float(sys.argv[1]), int(sys.argv[2])
real = time.time
time.time = lambda: real() + ahead_s
Metrics().live_version.labels("m").set(value)
Metrics().version("m", "1").show_drift(bool(value % 2), float(value), {})
"""


def test_what_was_set_last_is_shown_though_the_clock_was_ahead(
    tmp_path: Path, repository_root: Path
) -> None:
    for ahead_s, value in ((365 * 86_400, 1), (0, 2), (3600, 3), (-3600, 4)):
        subprocess.run(
            [sys.executable, "-c", SET, str(ahead_s), str(value)],
            cwd=repository_root,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            check=True,
        )
    lines = exposition(tmp_path).decode().splitlines()
    assert 'understudy_drift_evidence{model="m",version="1"} 4.0' in lines
    assert 'understudy_drift_alarm{model="m",version="1"} 0.0' in lines


BATCHES = """
import time
from service.monitoring.prometheus_metrics import Metrics

counted = Metrics().version("m", "1")
for now, time_of_day in ((100.0, 2e9), (200.0, 1e9)):
    time.monotonic, time.time = lambda: now, lambda: time_of_day
    counted.note_batch(1, 0.01)
"""


def test_the_last_batch_is_told_also_when_the_clock_has_gone_back(
    tmp_path: Path, repository_root: Path
) -> None:
    subprocess.run(
        [sys.executable, "-c", BATCHES],
        cwd=repository_root,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        check=True,
    )
    name = 'understudy_last_batch_timestamp_seconds{model="m",version="1"} '
    lines = exposition(tmp_path).decode().splitlines()
    (found,) = [line.removeprefix(name) for line in lines if line.startswith(name)]
    assert float(found) == 1e9
