"""Clients of gRPC that others wrote, unchanged, against the real service."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from google.protobuf.json_format import ParseDict
from tritonclient.grpc import model_config_pb2

from tests.e2e.conftest import Service, StartService, free_port
from tests.e2e.test_public_clients import BEARER, TOKEN
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import save_half_plus_three
from tests.savedmodels.photos import publish_photos
from tests.waiting import eventually

# Clients that cannot be installed beside ours.
CLIENTS = Path(__file__).resolve().parents[2] / "build" / "clients"
HALF = "half_plus_three"
MODELS = ("affine", HALF, "photos")


def client_at(path: Path, package: str) -> Path:
    if not path.exists():
        pytest.skip(f"{package} is not there; make install-clients installs it")
    return path


@pytest.fixture(scope="module")
def tensorflow_serving() -> Iterator[None]:
    """Let ``tensorflow_serving`` be imported; it finds TensorFlow, which it knows by another package."""
    folder = str(client_at(CLIENTS / "tensorflow-serving", "tensorflow-serving-api"))
    sys.path.append(folder)
    yield
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def kserve_python() -> Path:
    """The Python of an environment with KServe, which wants an older protobuf."""
    return client_at(CLIENTS / "kserve" / "bin" / "python", "kserve")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base_paths")
    publish_affine(folder)
    save_half_plus_three(folder / HALF / "123")
    publish_photos(folder)
    return folder


@pytest.fixture(scope="module")
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def service(start_service: StartService, root: Path, address: str) -> Service:
    file = root / "models.config"
    configs = "".join(f'config {{ name: "{n}" base_path: "{root}/{n}" }} ' for n in MODELS)
    file.write_text(f"model_config_list {{ {configs} }}")
    return start_service(
        root / "none",
        wait_for="/v2/health/ready",
        UNDERSTUDY_MODEL_CONFIG_FILE=str(file),
        UNDERSTUDY_GRPC_PORT=address.rpartition(":")[2],
        UNDERSTUDY_ADMIN_TOKEN=TOKEN,
        UNDERSTUDY_QUIET_S="0",
    )


@pytest.fixture
def v2(service: Service, address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(address) as found:
        yield found


def affine_inputs(library: Any = triton, *, text: bytes = b"quiet") -> list[Any]:
    x = library.InferInput("x", [1, 2], "FP32")
    x.set_data_from_numpy(np.array([[1, 2]], np.float32))
    texts = library.InferInput("text", [1], "BYTES")
    texts.set_data_from_numpy(np.array([text], object))
    return [x, texts]


@pytest.mark.parametrize("model", MODELS)
def test_triton_s_configuration_is_rest_s(
    service: Service, v2: triton.InferenceServerClient, model: str
) -> None:
    rest = service.get(f"/v2/models/{model}/config").json()
    asked = v2.get_model_config(model, "123" if model == HALF else "")
    assert asked.config == ParseDict(rest, model_config_pb2.ModelConfig())
    with pytest.raises(triton.InferenceServerException, match="NOT_FOUND"):
        v2.get_model_config(model, "9")


def test_triton_s_traces_logs_and_shared_memory(v2: triton.InferenceServerClient) -> None:
    # NVIDIA's examples begin so, to be sure that nothing is left of an earlier run.
    v2.unregister_system_shared_memory()
    v2.unregister_cuda_shared_memory()
    v2.unregister_system_shared_memory("input_data")
    assert not v2.get_system_shared_memory_status().regions
    assert not v2.get_cuda_shared_memory_status().regions
    with pytest.raises(triton.InferenceServerException, match="There is no region 'output_data'"):
        v2.get_system_shared_memory_status("output_data")
    with pytest.raises(triton.InferenceServerException, match="There is no region 'output_data'"):
        v2.get_cuda_shared_memory_status("output_data")
    for register in (
        lambda: v2.register_system_shared_memory("input_data", "/input", 64),
        lambda: v2.register_cuda_shared_memory("input_data", b"aGFuZGxl", 0, 64),
    ):
        with pytest.raises(triton.InferenceServerException, match="not supported here") as caught:
            register()
        assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
    traces = v2.get_trace_settings().settings
    assert list(traces["trace_level"].value) == ["OFF"]
    assert v2.get_trace_settings("affine").settings == traces
    with pytest.raises(triton.InferenceServerException, match="There is no model 'nope'"):
        v2.get_trace_settings("nope")
    with pytest.raises(triton.InferenceServerException, match="cannot be changed here"):
        v2.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]})
    logs = v2.get_log_settings().settings
    assert (logs["log_info"].bool_param, logs["log_format"].string_param) == (True, "ISO8601")
    assert logs["log_verbose_level"].WhichOneof("parameter_choice") == "uint32_param"
    with pytest.raises(triton.InferenceServerException, match="cannot be changed while"):
        v2.update_log_settings({"log_verbose_level": 1})


def test_triton_s_asynchronous_client(service: Service, address: str) -> None:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        for number, text in enumerate((b"quiet", b"neither", b"loud")):
            yield {
                "model_name": "affine",
                "inputs": affine_inputs(triton_aio, text=text),
                "request_id": str(number),
            }

    async def session() -> None:
        async with triton_aio.InferenceServerClient(address) as v2:
            assert await v2.is_server_live()
            assert await v2.is_server_ready()
            assert await v2.is_model_ready("affine")
            assert (await v2.get_model_metadata(HALF)).versions == ["123"]
            assert (await v2.get_model_config(HALF)).config.name == HALF
            await v2.unload_model(HALF, headers={"authorization": BEARER["Authorization"]})
            assert not await v2.is_model_ready(HALF)
            await v2.load_model(HALF, headers={"authorization": BEARER["Authorization"]})
            index = (await v2.get_model_repository_index()).models
            assert {each.name: each.state for each in index}[HALF] == "READY"
            result = await v2.infer("affine", affine_inputs(triton_aio))
            assert result.as_numpy("loud").tolist() == [b"QUIET"]
            found = [answer async for answer in v2.stream_infer(requests())]
            assert [error is None for _, error in found] == [True, False, True]
            assert "Expected one of 'quiet', 'loud'" in str(found[1][1])
            assert found[2][0].as_numpy("loud").tolist() == [b"LOUD"]

    asyncio.run(session())


def model_spec(request: Any, model: str, signature: str = "") -> Any:
    request.model_spec.name, request.model_spec.signature_name = model, signature
    return request


def test_tensorflow_serving_s_predictions(
    tensorflow_serving: None, service: Service, address: str
) -> None:
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        inference_pb2,
        predict_pb2,
        prediction_service_pb2_grpc,
        regression_pb2,
    )

    regress = "tensorflow/serving/regress"
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = model_spec(predict_pb2.PredictRequest(), HALF)
        request.model_spec.version.value = 123
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0, 5.0]))
        response = stub.Predict(request, timeout=30)
        assert tf.make_ndarray(response.outputs["y"]).tolist() == [3.5, 4.0, 5.5]
        assert response.model_spec.version.value == 123
        request.inputs["x"].CopyFrom(tf.make_tensor_proto(["one"]))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details() == "inputs.x: Expected dtype DT_FLOAT, not DT_STRING."

        example = tf.train.Example()
        example.features.feature["x"].float_list.value.append(1.0)
        request = model_spec(classification_pb2.ClassificationRequest(), HALF, "classify_x")
        request.input.example_list.examples.append(example)
        (row,) = stub.Classify(request, timeout=30).result.classifications
        assert {each.label: each.score for each in row.classes} == {
            "it is small": 0.5625,
            "0 it": 0.4375,
        }
        request = model_spec(regression_pb2.RegressionRequest(), HALF, regress)
        request.input.example_list.examples.append(example)
        (row,) = stub.Regress(request, timeout=30).result.regressions
        assert row.value == 3.5
        request = inference_pb2.MultiInferenceRequest()
        request.input.example_list.examples.append(example)
        for signature, method in ((regress, "regress"), ("classify_x", "classify")):
            task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
            model_spec(task, HALF, signature)
        first, second = stub.MultiInference(request, timeout=30).results
        assert first.regression_result.regressions[0].value == 3.5
        assert len(second.classification_result.classifications[0].classes) == 2

        request = model_spec(get_model_metadata_pb2.GetModelMetadataRequest(), HALF)
        request.metadata_field.append("signature_def")
        signatures = get_model_metadata_pb2.SignatureDefMap()
        found = stub.GetModelMetadata(request, timeout=30).metadata["signature_def"]
        assert found.Unpack(signatures)
        assert signatures.signature_def["classify_x"].method_name == "tensorflow/serving/classify"


def test_tensorflow_serving_s_models(
    tensorflow_serving: None, service: Service, address: str, root: Path
) -> None:
    from tensorflow_serving.apis import (
        get_model_status_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
    )

    with grpc.insecure_channel(address) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)

        def reload(*models: str, token: str = TOKEN) -> Any:
            request = model_management_pb2.ReloadConfigRequest()
            for name in models:
                request.config.model_config_list.config.add(
                    name=name, base_path=str(root / name), model_platform="tensorflow"
                )
            metadata = (("authorization", f"Bearer {token}"),)
            response = stub.HandleReloadConfigRequest(request, timeout=60, metadata=metadata)
            return response.status.error_code

        def state(model: str) -> Any:
            request = model_spec(get_model_status_pb2.GetModelStatusRequest(), model)
            try:
                (found,) = stub.GetModelStatus(request, timeout=30).model_version_status
            except grpc.RpcError as error:
                return error.code()
            return get_model_status_pb2.ModelVersionStatus.State.Name(found.state)

        assert state(HALF) == "AVAILABLE"
        with pytest.raises(grpc.RpcError) as caught:
            reload(*MODELS, token="wrong")
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reload("affine", "photos") == 0
        eventually(lambda: state(HALF) is grpc.StatusCode.NOT_FOUND)
        assert reload(*MODELS) == 0
        assert state(HALF) == "AVAILABLE"


def test_kserve_s_clients(kserve_python: Path, service: Service, address: str) -> None:
    script = Path(__file__).with_name("kserve_session.py")
    command = [str(kserve_python), str(script), address, service.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    outputs = {"y": [3.0], "loud": ["QUIET"]}
    same = {"live": True, "ready": True, "models": [True, False], "infer": outputs}
    expected = "Expected [N, 2], N at least 1, not [1, 3]."
    assert seen["grpc"] == {**same, "error": f"INVALID_ARGUMENT: inputs[0].shape: {expected}"}
    assert seen["rest"] == {**same, "first protocol": {"predictions": [3.0]}}
