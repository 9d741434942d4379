"""Which signatures' rows are compared with a version's reference."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.monitoring.drift.drift_monitor import DriftMonitor
from service.monitoring.prometheus_metrics import Metrics
from service.repository.contract import Contract, Field, Signature
from service.repository.reference.reference_file import REFERENCE
from service.runtime.drift_watch import DriftWatch
from tests.savedmodels.drifting import SIGN_CONTRACT, publish_sign

SIGN = SIGN_CONTRACT["serving_default"]
LABEL, PROBABILITY = SIGN.outputs
FILE = Field(name="file", dtype="string", shape=(None,))
CONTRACT: Contract = {
    **SIGN_CONTRACT,
    "by_file": Signature("by_file", (FILE,), (replace(LABEL, description="words"), PROBABILITY)),
    "three": Signature("three", SIGN.inputs, (replace(PROBABILITY, shape=(None, 3)),)),
    "whole": Signature("whole", (replace(FILE, shape=()),), (replace(PROBABILITY, shape=()),)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    publish_sign(tmp_path)
    return tmp_path / "sign" / "1"


@pytest.fixture
def monitor(tmp_path: Path) -> DriftMonitor:
    return DriftMonitor(Metrics(CollectorRegistry()), None, minimum_effect=0.1)


def test_answers_of_a_signature_that_gives_something_else_are_not_counted(
    folder: Path, monitor: DriftMonitor
) -> None:
    watch = DriftWatch(monitor, "sign", 1, folder, CONTRACT)
    for name, inputs, outputs in (
        ("serving_default", {"x": np.zeros(3)}, {"probability": np.zeros(3)}),
        ("by_file", {"file": np.array([b"x"] * 4, object)}, {"probability": np.ones(4)}),
    ):
        observe = watch.observer(name)
        assert observe is not None
        observe(inputs, outputs)
    # One of them gives no rows at all, so that they cannot be counted.
    assert watch.observer("three") is None
    assert watch.observer("whole") is None
    observed = monitor.observed("sign", "1")
    assert observed is not None
    counted = {name: int(rows.sum()) for name, rows in observed.totals.items()}
    assert (counted["inputs.x"], counted["outputs.probability"]) == (3, 7)
    watch.end()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"signature": "gone"}, "the version has no signature 'gone' with rows"),
        ({"signature": "whole"}, "the version has no signature 'whole' with rows"),
        ({"signature": "by_file"}, "'by_file' has no 'x' among its inputs"),
        ({"probability": "p", "expected_accuracy": 0.5}, "has no 'p' among its outputs"),
    ],
)
def test_a_reference_of_another_contract_is_left_out_and_said(
    folder: Path,
    monitor: DriftMonitor,
    change: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = folder / REFERENCE
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    watch = DriftWatch(monitor, "sign", 1, folder, CONTRACT)
    assert watch.observer("serving_default") is None
    assert monitor.observed("sign", "1") is None
    assert reason in str([vars(record) for record in caplog.records])
