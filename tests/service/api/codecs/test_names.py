"""Models and versions of every name that TensorFlow Serving takes, by both ways in."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from tests.savedmodels.affine import save_affine
from tests.service.conftest import served

NAMES = [
    *("a b", " lead", "trail ", "a+b", "a@b", "hey!", "-dash", "under_score.v1", "50%", "a%20b"),
    *("modèle", "日本", "what?", "frag#ment", "semi;colon", "a&b=c", "(x)", "[x]", "'q'", '"dq"'),
    *("back\\slash", "til~de", "a,b", "$HOME", "*", "<b>", "{x}", "predict", "versions"),
]
NEVER = ["a:b", "tab\tname", "new\nline", ".hidden", "...", "nul\x7f"]
LAST = 2**63 - 1


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    original = root.parent / "original"
    if not original.exists():
        save_affine(original)
    names = ["!", NAMES[0], *NAMES[2:4], NAMES[10]] if request.param == "flask" else NAMES
    for name in (*names, *NEVER):
        shutil.copytree(original, root / name / "1")
    for version in (2, LAST - 1, LAST):
        shutil.copytree(original, root / "last" / str(version))
    shutil.copytree(original, root / "last" / str(LAST + 1))
    shutil.copytree(original, root / "last" / ("9" * 20))
    (root / "last" / "policy.json").write_text(
        f'{{"serve": {{"latest": 2}}, "labels": {{"big": {LAST - 1}}}}}'
    )
    with served(root, request.param, admin_token="t") as client:
        client.names = names
        yield client


def ask(client: FlaskClient, path: str) -> Any:
    return client.post(
        path, json={"signature_name": "only_y", "instances": [[1, 2]]}, base_url="http://localhost"
    )


def test_each_is_asked_percent_encoded(client: FlaskClient) -> None:
    for name in client.names:
        path = f"/v1/models/{quote(name, safe='')}"
        for url in (f"{path}:predict", f"{path}/versions/1:predict"):
            answer = ask(client, url)
            assert (answer.status_code, answer.json) == (200, {"predictions": [5.0]}), name
        assert client.get(path).json["model_version_status"][0]["state"] == "AVAILABLE"
        assert client.get(f"{path}/metadata").json["model_spec"]["name"] == name
        v2 = f"/v2/models/{quote(name, safe='')}"
        assert client.get(v2 + "?signature_name=only_y").json["name"] == name
        item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
        answer = client.post(v2 + "/infer?signature_name=only_y", json={"inputs": [item]})
        assert answer.json["model_name"] == name
        admin = {"Authorization": "Bearer t"}
        assert client.get(f"{path}/policy", headers=admin).status_code == 200
    listed = [model["name"] for model in client.get("/v1/models").json["models"]]
    assert listed == sorted([*client.names, "last"])


def test_they_are_documented_and_counted(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").json["paths"]
    for name in client.names:
        assert f"/v1/models/{quote(name, safe='')}:predict" in paths
    assert client.get("/metrics").status_code == 200


def test_what_can_be_no_name_is_no_model(client: FlaskClient) -> None:
    for name in NEVER:
        assert ask(client, f"/v1/models/{quote(name, safe='')}:predict").status_code == 404


def test_versions_of_64_bits(client: FlaskClient) -> None:
    for place, version in (
        (f"/versions/{LAST}", LAST),
        (f"/versions/{LAST - 1}", LAST - 1),
        ("/labels/big", LAST - 1),
        ("", LAST),
    ):
        answer = ask(client, f"/v1/models/last{place}:predict")
        assert answer.status_code == 200, answer.json
        assert answer.headers["X-Model-Version"] == str(version)
    found = client.get(f"/v1/models/last/versions/{LAST}").json["model_version_status"]
    assert found[0]["version"] == str(LAST)
    body = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
    url = f"/v2/models/last/versions/{LAST}/infer?signature_name=only_y"
    assert client.post(url, json=body).json["model_version"] == str(LAST)


@pytest.mark.parametrize("version", [str(LAST + 1), "9" * 20, "1" + "0" * 39])
def test_beyond_64_bits_there_is_none(client: FlaskClient, version: str) -> None:
    answer = ask(client, f"/v1/models/last/versions/{version}:predict")
    assert answer.status_code == 404
    assert answer.json["error"].startswith(f"Version {version} of model 'last' does not serve")
    answer = client.get(f"/v1/models/last/versions/{version}")
    assert answer.json["error"] == f"There is no version {version} of model 'last'."


def test_thousands_of_digits_are_no_version(client: FlaskClient) -> None:
    for digits in (41, 5000):
        answer = ask(client, f"/v1/models/last/versions/{'9' * digits}:predict")
        assert answer.status_code == 404
        assert answer.json["error"].startswith("Malformed request")


def test_a_folder_that_is_a_link_out_is_as_good(client: FlaskClient, tmp_path: Path) -> None:
    save_affine(tmp_path / "real" / "1")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a b").symlink_to(tmp_path / "real")
    with served(tmp_path / "root", "loop") as other:
        assert ask(other, "/v1/models/a%20b:predict").json == {"predictions": [5.0]}
