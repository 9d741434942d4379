"""Clients that others wrote, unchanged, against the real service."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import publish_scores
from tests.savedmodels.dtypes import DTYPES, save_every_dtype

TOKEN = "sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_scores(root)
    save_every_dtype(root / "every_dtype" / "1")
    # What comes without a manifest is taken when it has lain still for a while.
    return start_service(
        root,
        wait_for="/v2/models/every_dtype/ready",
        UNDERSTUDY_ADMIN_TOKEN=TOKEN,
        UNDERSTUDY_QUIET_S="0",
    )


@pytest.fixture
def client(service: Service) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
        yield client


def given(name: str, values: Any, dtype: str, *, binary: bool = True) -> triton.InferInput:
    array = np.array(values)
    tensor = triton.InferInput(name, list(array.shape), dtype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def scores(*, binary: bool = True) -> list[triton.InferInput]:
    return [given("x", np.array([[1, 9.5, 2], [3, 3, 1]], np.float32), "FP32", binary=binary)]


def test_triton_health_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("affine")
    assert client.is_model_ready("affine", "1")
    assert not client.is_model_ready("affine", "9")
    assert not client.is_model_ready("nope")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("scores")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
    other = client.get_model_metadata("affine", query_params={"signature_name": "only_y"})
    assert [tensor["name"] for tensor in other["inputs"]] == ["x"]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_triton_infers(
    client: triton.InferenceServerClient, binary: bool, packed: str | None
) -> None:
    rows = np.tile(np.array([[1, 2]], np.float32), (500, 1))
    texts = np.array([b"quiet", b"loud"] * 250, np.object_)
    inputs = [
        given("x", rows, "FP32", binary=binary),
        given("text", texts, "BYTES", binary=binary),
    ]
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("loud", "y")]
    result = client.infer(
        "affine",
        inputs,
        "1",
        outputs,
        request_id="42",
        request_compression_algorithm=packed,
        response_compression_algorithm=packed,
    )
    assert result.get_response()["id"] == "42"
    assert [output["name"] for output in result.get_response()["outputs"]] == ["loud", "y"]
    np.testing.assert_array_equal(result.as_numpy("y"), np.full(500, 5, np.float32))
    texts_back = result.as_numpy("loud").tolist()
    assert texts_back == [b"QUIET", b"LOUD"] * 250 if binary else ["QUIET", "LOUD"] * 250


# Values that need all the bits of their dtypes.
VALUES: dict[str, Any] = {
    "bool": [[True, False]],
    "float16": np.array([[-65504, 6.1e-5]], np.float16),
    "float32": np.array([[1e38, 0.1]], np.float32),
    "float64": [[1e300, 0.1]],
    "string": np.array([["caf\u00e9".encode(), b""]], np.object_),
    **{
        name: np.array([[np.iinfo(name).min, np.iinfo(name).max]], name)
        for name in DTYPES
        if name.startswith(("int", "uint"))
    },
}
TRITON = {
    "bool": "BOOL",
    "string": "BYTES",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}


@pytest.mark.parametrize("binary", [False, True])
def test_triton_sends_and_gets_every_datatype(
    client: triton.InferenceServerClient, binary: bool
) -> None:
    inputs = [
        given(name, VALUES[name], TRITON.get(name, name.upper()), binary=binary) for name in DTYPES
    ]
    outputs = [triton.InferRequestedOutput(f"same_{name}", binary_data=binary) for name in DTYPES]
    result = client.infer("every_dtype", inputs, outputs=outputs)
    for name in DTYPES:
        expected = np.array(VALUES[name])
        if name == "string" and not binary:
            expected = np.array([["caf\u00e9", ""]], np.object_)
        np.testing.assert_array_equal(result.as_numpy(f"same_{name}"), expected, name)
    everything = client.infer("every_dtype", inputs)
    assert len(everything.get_response()["outputs"]) == len(DTYPES)


def test_triton_chooses_a_signature(client: triton.InferenceServerClient) -> None:
    x = given("x", np.array([[1, 2]], np.float32), "FP32")
    result = client.infer("affine", [x], parameters={"signature_name": "only_y"})
    assert result.as_numpy("y").tolist() == [5.0]
    result = client.infer("affine", [x], query_params={"signature_name": "only_y"})
    assert result.as_numpy("y").tolist() == [5.0]


def test_triton_asks_for_classes(client: triton.InferenceServerClient) -> None:
    for binary in (False, True):
        output = triton.InferRequestedOutput("scores", binary_data=binary, class_count=2)
        classes = client.infer("scores", scores(), outputs=[output]).as_numpy("scores").tolist()
        assert [[str(each, "utf-8") if binary else each for each in row] for row in classes] == [
            ["9.500000:1:middle", "2.000000:2:high"],
            ["3.000000:0:low", "3.000000:1:middle"],
        ]


def test_triton_infers_without_waiting(client: triton.InferenceServerClient) -> None:
    handle = client.async_infer("scores", scores())
    assert handle.get_result().as_numpy("counts").tolist() == [[1, 9, 2], [3, 3, 1]]


def test_triton_is_told_what_is_wrong(client: triton.InferenceServerClient) -> None:
    wide = given("x", np.zeros((1, 4), np.float32), "FP32")
    with pytest.raises(InferenceServerException) as caught:
        client.infer("scores", [wide])
    assert caught.value.status() == "400"
    assert caught.value.message() == ("inputs[0].shape: Expected [N, 3], N at least 1, not [1, 4].")


def test_triton_loads_and_unloads_models(
    service: Service, client: triton.InferenceServerClient
) -> None:
    ready = {"name": "scores", "version": "1", "state": "READY", "reason": ""}
    assert ready in client.get_model_repository_index()
    with pytest.raises(InferenceServerException, match="admin token"):
        client.unload_model("scores")
    client.unload_model("scores", headers=BEARER)
    # All workers have followed, whichever is asked.
    for _ in range(8):
        assert service.get("/v2/models/scores/ready").status_code == 404
    assert client.is_server_ready()
    client.load_model("scores", headers=BEARER)
    for _ in range(8):
        assert service.get("/v2/models/scores/ready").status_code == 200
    with pytest.raises(InferenceServerException, match=r"parameters\.config: Unknown"):
        client.load_model("scores", headers=BEARER, config="{}")


def test_triton_reads_the_statistics_of_all_workers(client: triton.InferenceServerClient) -> None:
    def successes() -> int:
        (stat,) = client.get_inference_statistics("scores", "1")["model_stats"]
        assert stat["inference_count"] == 2 * stat["inference_stats"]["compute_infer"]["count"]
        return int(stat["inference_stats"]["success"]["count"])

    before = successes()
    for _ in range(10):
        client.infer("scores", scores())
    assert successes() == before + 10
    names = {stat["name"] for stat in client.get_inference_statistics()["model_stats"]}
    assert names == {"affine", "every_dtype", "scores"}


def test_what_the_documents_show_of_triton(
    start_service: StartService, repository_root: Path
) -> None:
    text = (repository_root / "docs" / "guides" / "clients.md").read_text()
    section = text.split("## Triton\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    service = start_service(repository_root / "saved_models", wait_for="/v2/health/ready")
    address = service.url.removeprefix("http://")
    assert "127.0.0.1:8501" in code
    run = subprocess.run(
        [sys.executable, "-c", code.replace("127.0.0.1:8501", address)],
        cwd=repository_root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    metadata, answers, classes, label = run.stdout.splitlines()
    assert metadata == "[{'name': 'text', 'datatype': 'BYTES', 'shape': [-1]}]"
    assert answers.startswith("[b'positive' b'negative'] [0.")
    assert len(re.findall(r"b'0\.\d{6}:\d:[^']+'", classes)) == 3
    assert label == "[b'Ankle boot']"
