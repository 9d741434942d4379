"""Two services that keep their files in the same temporary folder."""

import os
import signal
from pathlib import Path

from tests.e2e.conftest import StartService
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually


def test_a_service_that_ends_leaves_the_others_folder_alone(
    start_service: StartService, tmp_path: Path
) -> None:
    models, temporary = tmp_path / "models", tmp_path / "tmp"
    temporary.mkdir()
    publish_affine(models)
    first, second = (start_service(models, TMPDIR=str(temporary)) for _ in range(2))
    folders = set(temporary.iterdir())
    assert first.stop() == 0
    left = set(temporary.iterdir())
    assert left < folders
    # A worker that replaces another needs the folder: to agree with the others, and to count.
    replaced = second.workers()[0]
    os.kill(replaced, signal.SIGKILL)
    eventually(lambda: len(second.workers()) == 2 and replaced not in second.workers())
    eventually(lambda: second.get("/readyz").ok)
    assert set(temporary.iterdir()) == left
    for _ in range(10):
        answer = second.post(
            "/v1/models/affine:predict", {"signature_name": "only_y", "instances": [[1, 2]]}
        )
        assert answer.ok, answer.text
    assert "understudy_predictions_total" in second.get("/metrics").text
