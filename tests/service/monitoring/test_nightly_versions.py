"""Nightly retraining adds no series: after two months there are as many as after one."""

import os
import subprocess
import sys
from pathlib import Path

from tests.service.monitoring.conftest import FOLDER

NIGHTS = """
import sys
from pathlib import Path
from service.monitoring.exposition import samples
from service.monitoring.prometheus_metrics import Metrics

metrics = Metrics()
folder = Path(sys.argv[1])
names = ("request_seconds", "parse", "validate", "wait", "infer", "serialise")
seen = {}
for night in range(1, 61):
    counted = metrics.begin_version("m", str(night))
    counted.computes_in("float32")
    for name in names:
        getattr(counted, name).observe(0.01)
    counted.note_batch(1, 0.01)
    counted.count_field_rows("inputs.x", 3, 2)
    counted.show_drift(False, 0.5, {"inputs.x": 0.25})
    counted.predictions("serving_default").inc()
    metrics.answered("m", str(night), 200).inc()
    if night > 1:
        metrics.end_version("m", str(night - 1))
    if night % 15 == 0:
        metrics.exposition()
        found = {
            (s.name, *sorted(s.labels.items())): s.value
            for s in samples(folder, buckets_of=("understudy_request_seconds",))
        }
        fallen = [key for key, value in found.items() if value < seen.get(key, 0)]
        assert not fallen, fallen
        seen |= found
        size = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
        print(len(found), size)
"""


def test_the_series_of_old_versions_vanish_and_counters_never_fall(
    repository_root: Path, tmp_path: Path
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", NIGHTS, str(tmp_path)],
        cwd=repository_root,
        env={**os.environ, FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    fortnights = [tuple(map(int, line.split())) for line in result.stdout.splitlines()]
    assert len(fortnights) == 4
    first, last = fortnights[1], fortnights[-1]
    assert first[0] > 70
    assert last[0] == first[0]
    assert last[1] <= first[1] + 16 * 1024
