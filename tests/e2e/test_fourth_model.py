"""A model that the service has never heard of: trained, published, served, validated."""

import numpy as np
import pytest

from tests.digits import draw, write_mnist
from tests.e2e.conftest import Service, StartService
from tests.training.process import TrainingProcess


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    folder = tmp_path_factory.mktemp("fourth")
    write_mnist(folder, train=1200, test=300)
    train = ["-m", "training", "train", "digits", "--data", ".", "--out", "models", "--epochs", "3"]
    training = TrainingProcess(*train, cwd=folder, logs=folder)
    assert training.wait(240) == 0, training.errors.read_text()
    return start_service(folder / "models")


def test_it_answers(service: Service) -> None:
    pictures, digits = draw(20, seed=3)
    response = service.post("/v1/models/digits:predict", {"instances": pictures.tolist()})
    assert response.status_code == 200, response.text
    predictions = response.json()["predictions"]
    assert predictions[0].keys() == {"digit", "confidence", "probabilities"}
    answers = np.array([prediction["digit"] for prediction in predictions])
    assert (answers == digits).mean() > 0.8


def test_requests_are_checked_by_its_contract(service: Service) -> None:
    picture = draw(1, seed=3)[0][0].tolist()
    picture[3][4] = 256
    response = service.post("/v1/models/digits:predict", {"instances": [picture]})
    assert response.status_code == 400
    assert "instances[0][3][4]: Expected a number from 0 to 255, not 256" in response.text
    response = service.post("/v1/models/digits:predict", {"instances": [picture[:27]]})
    assert response.status_code == 400
    assert "28" in response.json()["error"]


def test_it_is_described(service: Service) -> None:
    (model,) = service.get("/v1/models").json()["models"]
    assert model["name"] == "digits"
    (field,) = model["signatures"]["serving_default"]["inputs"]
    assert field["description"] == "Grey values of a picture, row by row: a white digit on black."
