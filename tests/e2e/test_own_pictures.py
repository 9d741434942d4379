"""Own pictures of every kind, from files to answers: a client gets what the trainer measured."""

import mimetypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from service.repository.model_card import read_card
from tests.e2e.conftest import Service, StartService
from tests.images import WAYS, write_triangles
from training import tasks
from training.data.load import load_data
from training.publishing.saved_model_export import open_saved_model
from understudy import cli

_URL = "/v1/models/clothing:predict"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_triangles(tmp_path_factory.mktemp("pictures") / "triangles", 6)


@pytest.fixture(scope="module")
def models(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    work = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.setenv("XDG_CACHE_HOME", str(work / "cache"))
        # The same triangle lies in many files: copies, which the gate on the data would refuse.
        options = ["--arch", "tutorial", "--epochs", "8", "--out", str(work / "models"), "--force"]
        assert cli.main(["train", "clothing", "--data", str(pictures), *options]) == 0
        yield work / "models"


@pytest.fixture(scope="module")
def service(models: Path, start_service: StartService) -> Service:
    return start_service(models, UNDERSTUDY_WORKERS="1")


def ask(service: Service, path: Path) -> dict[str, Any]:
    kind, _ = mimetypes.guess_type(path)
    response = requests.post(
        f"{service.url}{_URL}",
        data=path.read_bytes(),
        headers={"Content-Type": str(kind)},
        timeout=60,
    )
    assert response.ok, (path.name, response.text)
    (prediction,) = response.json()["predictions"]
    return dict(prediction)


def test_files_are_answered_as_the_trainer_measured(
    pictures: Path, models: Path, service: Service
) -> None:
    card = read_card(models / "clothing" / "1")
    assert card is not None
    task = tasks.get("clothing")
    data = load_data(task, pictures, 0.0).data
    measured = task.answers(data, open_saved_model(models / "clothing" / "1"))
    answers = [ask(service, path) for path in data.test_files]
    assert len(answers) == card.evaluation["examples"] > 90
    served = np.array([answer["probabilities"] for answer in answers])
    assert np.abs(served - measured.probabilities).max() < 1e-4
    right = [
        answer["label"] == path.parent.name
        for answer, path in zip(answers, data.test_files, strict=True)
    ]
    assert np.mean(right) == pytest.approx(card.evaluation["accuracy"])
    assert card.evaluation["accuracy"] > 0.9
    (gate,) = [
        outcome for outcome in card.training["gates"]["outcomes"] if outcome["gate"] == "originals"
    ]
    assert gate["figures"] == {"examples": len(answers), "different": 0}


def test_every_kind_of_file_shows_what_people_see(pictures: Path, service: Service) -> None:
    wrong = [
        f"{way}/{path.name}"
        for way in WAYS
        for path in sorted((pictures / way).iterdir())
        if ask(service, path)["label"] != way
    ]
    assert len(wrong) <= 0.05 * len(list(pictures.rglob("*.*"))), wrong
