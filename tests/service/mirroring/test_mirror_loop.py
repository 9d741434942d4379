"""How often a mirror looks, and what it says of what goes wrong."""

import logging
from pathlib import Path
from typing import Any, cast

import pytest

from service.mirroring.mirror_loop import follow, pause_s
from service.mirroring.mirror_metrics import MirrorMetrics
from service.monitoring.logs import LOGGER
from service.repository.object_store.bucket import Bucket
from service.repository.object_store.mirror import Mirror, Outcome
from service.repository.object_store.mirror_folder import MirrorFolder


def test_the_pause_grows_while_the_store_fails_and_differs_by_chance() -> None:
    pauses = [pause_s(30, failures) for failures in range(12)]
    for pause, middle in zip(pauses, [30, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300], strict=True):
        assert 0.9 * middle <= pause <= 1.1 * middle
    assert len({pause_s(30, 0) for _ in range(10)}) == 10
    assert pause_s(30, 10**6) < 331


def test_what_goes_wrong_is_said_once_and_that_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(LOGGER), "propagate", True)
    caplog.set_level(logging.INFO, LOGGER)
    failed = Outcome(problems=["It is gone."], store_failed=True)
    looks: list[Any] = [
        failed,
        failed,
        OSError("no room"),
        Outcome(is_listed=True, is_in_step=True),
    ]
    pauses = []

    class ScriptedMirror:
        def synchronise(self) -> Outcome:
            look = looks.pop(0)
            if isinstance(look, OSError):
                raise look
            return cast(Outcome, look)

    def wait(seconds: float) -> bool:
        pauses.append(round(seconds / 2) * 2)
        return not looks

    folder = MirrorFolder(tmp_path, "s3://x/y")
    metrics = MirrorMetrics(Bucket("s3://x/y"))
    follow(cast(Mirror, ScriptedMirror()), folder, metrics, interval_s=30, wait=wait)
    assert [record.getMessage() for record in caplog.records] == [
        "Mirror: It is gone.",
        f"Mirror: {tmp_path}: no room",
        "Mirror: the store is mirrored again.",
    ]
    assert pauses[1] == 2
    assert pauses[2] == 4
    text = (tmp_path / ".mirror" / "metrics.prom").read_text()
    assert "understudy_mirror_in_step_timestamp_seconds 1." in text
