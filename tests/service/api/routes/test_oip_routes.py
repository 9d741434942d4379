"""Health and metadata by the Open Inference Protocol."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from service import __version__
from tests.savedmodels.affine import publish_affine
from tests.service.api.error_bodies import assert_error
from tests.service.conftest import MakeApp


def test_the_server_describes_itself(client: FlaskClient) -> None:
    assert client.get("/v2/").json == client.get("/v2").json
    assert client.get("/v2").json == {
        "name": "understudy",
        "version": __version__,
        "extensions": [
            "binary_tensor_data",
            "classification",
            "model_configuration",
            "model_repository",
            "parameters",
            "statistics",
        ],
    }


def test_health(client: FlaskClient) -> None:
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"ready": True}
    for where in ("", "/versions/1", "/versions/2"):
        response = client.get(f"/v2/models/affine{where}/ready")
        assert response.json == {"name": "affine", "ready": True}


def test_the_server_is_ready_when_every_model_is(make_app: MakeApp, tmp_path: Any) -> None:
    client = make_app().test_client()
    assert client.get("/v2/health/live").status_code == 200
    assert_error(client.get("/v2/health/ready"), 503, "UNAVAILABLE")

    publish_affine(tmp_path / "models")
    publish_affine(tmp_path / "models", model="broken")
    (tmp_path / "models" / "broken" / "1" / "saved_model.pb").unlink()
    client = make_app().test_client()
    assert client.get("/readyz").status_code == 200
    response = client.get("/v2/health/ready")
    assert_error(response, 503, "UNAVAILABLE")
    assert response.json["error"] == "Not every model serves."
    assert client.get("/v2/models/affine/ready").status_code == 200
    assert_error(client.get("/v2/models/broken/ready"), 503, "UNAVAILABLE")
    assert_error(client.get("/v2/models/broken"), 503, "UNAVAILABLE")


AFFINE = {
    "name": "affine",
    "versions": ["1", "2"],
    "platform": "tensorflow_savedmodel",
    "inputs": [
        {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "text", "datatype": "BYTES", "shape": [-1]},
        {"name": "shift", "datatype": "FP32", "shape": [-1]},
    ],
    "outputs": [
        {"name": "y", "datatype": "FP32", "shape": [-1]},
        {"name": "loud", "datatype": "BYTES", "shape": [-1]},
    ],
}


@pytest.mark.parametrize("where", ["", "/versions/1", "/versions/2"])
def test_a_model_is_described_by_its_signature(client: FlaskClient, where: str) -> None:
    response = client.get(f"/v2/models/affine{where}")
    assert response.json == AFFINE
    assert response.headers["X-Model-Version"] == (where[-1:] or "2")


@pytest.mark.parametrize(
    ("model", "signature", "inputs"),
    [
        ("affine", "only_y", [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]),
        ("shapes", "grid", [{"name": "grid", "datatype": "UINT8", "shape": [-1, 2, 3]}]),
        ("shapes", "any_shape", [{"name": "anything", "datatype": "FP64", "shape": [-1]}]),
        (
            "shapes",
            "scalar",
            [
                {"name": "count", "datatype": "INT32", "shape": []},
                {"name": "twice", "datatype": "BOOL", "shape": []},
            ],
        ),
    ],
)
def test_another_signature_is_described_when_it_is_asked_for(
    client: FlaskClient, model: str, signature: str, inputs: Any
) -> None:
    response = client.get(f"/v2/models/{model}", query_string={"signature_name": signature})
    assert response.json["inputs"] == inputs
