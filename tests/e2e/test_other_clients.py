"""What further public clients send and check, replayed against the real service.

Their packages cannot be installed beside ours; docs/guides/clients.md says with which they were tried.
"""

import re
from typing import Any

import numpy as np
import pytest
import requests
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.photos import publish_photos


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_photos(root)
    return start_service(root, wait_for="/v2/health/ready")


def connect(service: Service) -> triton.InferenceServerClient:
    return triton.InferenceServerClient(service.url.removeprefix("http://"))


@pytest.mark.parametrize("version", ["", "1"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_tritons_image_client(service: Service, version: str, batch_size: int) -> None:
    """It wants one input in three dimensions and one vector of floats, and classes with names."""
    with connect(service) as client:
        metadata = client.get_model_metadata("photos", version)
        config = client.get_model_config("photos", version)
        (described,), (configured,) = metadata["inputs"], config["input"]
        (scores,) = metadata["outputs"]
        assert config["max_batch_size"] >= batch_size
        assert scores["datatype"] == "FP32"
        assert sum(size > 1 for size in scores["shape"][1:]) <= 1
        assert len(described["shape"]) == 3 + 1
        assert configured["format"] == "FORMAT_NHWC"
        height, width, channels = described["shape"][1:]
        picture = np.zeros((height, width, channels), triton_to_np_dtype(described["datatype"]))
        picture[..., 1] = 2
        batch = np.stack([picture] * batch_size)
        tensor = triton.InferInput(described["name"], batch.shape, described["datatype"])
        tensor.set_data_from_numpy(batch)
        wanted = triton.InferRequestedOutput(scores["name"], class_count=2)
        arguments = ("photos", [tensor])
        options: dict[str, Any] = {"model_version": version, "outputs": [wanted]}
        for result in (
            client.infer(*arguments, request_id="1", **options),
            client.async_infer(*arguments, request_id="2", **options).get_result(),
        ):
            found = result.as_numpy(scores["name"])
            assert len(found) == batch_size
            for row in found:
                score, index, label = row[0].decode().split(":")
                assert (float(score), index, label) == (2.0, "1", "green")


def test_pytritons_model_client(service: Service) -> None:
    """It reads the configuration, adds the dimension of the batch, and takes it away again."""
    with connect(service) as client:
        assert client.is_server_ready()
        assert client.is_server_live()
        assert client.is_model_ready("affine", "")
        states = {
            (each["name"], each["version"]): each["state"]
            for each in client.get_model_repository_index()
        }
        assert states["affine", "1"] == "READY"
        config = client.get_model_config("affine", "")
        assert config["max_batch_size"] > 0
        assert not config["model_transaction_policy"]["decoupled"]
        assert {each["kind"] for each in config["instance_group"]} <= {"KIND_AUTO", "KIND_CPU"}
        assert all(value["string_value"] for value in config["parameters"].values())
        assert all(each["dims"] for each in (*config["input"], *config["output"]))
        given = {"x": [1, 2], "text": [b"quiet"], "shift": [0]}
        kinds = {"TYPE_FP32": np.float32, "TYPE_STRING": np.object_}
        inputs = []
        for each in config["input"]:
            # A sample is what ``dims`` says; the batch is one of them.
            sample = np.array(given[each["name"]], kinds[each["data_type"]])
            assert list(sample.shape) == each["dims"]
            datatype = each["data_type"].removeprefix("TYPE_").replace("STRING", "BYTES")
            tensor = triton.InferInput(each["name"], (1, *sample.shape), datatype)
            tensor.set_data_from_numpy(sample[np.newaxis])
            inputs.append(tensor)
        outputs = [triton.InferRequestedOutput(each["name"]) for each in config["output"]]
        result = client.infer("affine", inputs, model_version="", outputs=outputs, parameters={})
        assert result.as_numpy("y")[0] == 5.0
        assert result.as_numpy("loud")[0] == b"QUIET"


def test_tritons_examples_of_shared_memory_traces_and_logs(service: Service) -> None:
    with connect(service) as client:
        # The examples begin so, to be sure that nothing is left of an earlier run.
        client.unregister_system_shared_memory()
        client.unregister_cuda_shared_memory()
        client.unregister_system_shared_memory("input_data")
        assert client.get_system_shared_memory_status() == []
        assert client.get_cuda_shared_memory_status() == []
        with pytest.raises(InferenceServerException, match="There is no region 'output_data'"):
            client.get_system_shared_memory_status("output_data")
        with pytest.raises(InferenceServerException, match="not supported here"):
            client.register_system_shared_memory("input_data", "/input", 64)
        with pytest.raises(InferenceServerException, match="not supported here"):
            client.register_cuda_shared_memory("input_data", b"handle", 0, 64)
        assert client.get_trace_settings()["trace_level"] == ["OFF"]
        assert client.get_trace_settings("affine") == client.get_trace_settings()
        with pytest.raises(InferenceServerException, match="cannot be changed here"):
            client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]})
        assert client.get_log_settings()["log_info"] is True
        with pytest.raises(InferenceServerException, match="cannot be changed while"):
            client.update_log_settings({"log_verbose_level": 1})
        metadata = client.get_server_metadata()
        assert "model_configuration" in metadata["extensions"]
        with pytest.raises(InferenceServerException, match="There is no model 'nope'"):
            client.get_model_config("nope")


def test_kserves_client_of_its_first_protocol(service: Service) -> None:
    session = requests.Session()
    for base in (service.url, f"{service.url}/"):
        alive = session.get(base, timeout=60)
        assert alive.ok
        assert alive.json()["status"].lower() == "alive"
    answer = session.post(
        f"{service.url}/v1/models/affine:explain", json={"instances": [1]}, timeout=60
    )
    assert answer.status_code == 501
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"].startswith("Explanations are not supported here")


def test_kserves_client_of_its_second_protocol(service: Service) -> None:
    session = requests.Session()

    def get(path: str) -> Any:
        return session.get(f"{service.url}{path}", timeout=60)

    assert get("/v2/health/live").json()["live"] is True
    assert get("/v2/health/ready").json()["ready"] is True
    assert get("/v2/models").json() == {"models": ["affine", "photos"]}
    assert get("/v2/models/affine/ready").ok
    assert not get("/v2/models/nope/ready").ok
    # Columns as pandas and MLServer's codecs make them of a table.
    body = {
        "id": "7",
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], [3, 4]]},
            {
                "name": "text",
                "shape": [2, 1],
                "datatype": "BYTES",
                "parameters": {"content_type": "str"},
                "data": ["quiet", "loud"],
            },
            {"name": "shift", "shape": [2, 1], "datatype": "FP32", "data": [0.0, 1.0]},
        ],
    }
    answer = session.post(f"{service.url}/v2/models/affine/infer", json=body, timeout=60).json()
    outputs = {each["name"]: each["data"] for each in answer["outputs"]}
    assert outputs == {"y": [5.0, 12.0], "loud": ["QUIET", "LOUD"]}
    assert answer["id"] == "7"


def test_a_browser_and_a_person_find_their_way(service: Service) -> None:
    answer = requests.get(service.url, headers={"Accept": "text/html,*/*;q=0.8"}, timeout=60)
    assert answer.headers["content-type"].startswith("text/html")
    links = re.findall(r'href="([^"]+)"', answer.text)
    assert "/docs" in links
    assert "/v1/models/affine" in links
    for link in links:
        assert service.get(link).status_code == 200
    assert service.get("/v2/").json() == service.get("/v2").json()
