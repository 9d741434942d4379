"""gRPC of the real service: with Triton's client, and with messages as TensorFlow Serving's has."""

import asyncio
import os
import queue
import random
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
import tritonclient.http as triton_http
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from service.grpc.messages import message_class
from service.repository.contract import Signature
from service.repository.golden_examples import GoldenExample, batch_of, read_golden
from service.repository.model_card import read_card
from service.repository.model_store import Store
from tests.e2e.conftest import Service, StartService, free_port
from tests.e2e.grpc_client import SERVING, Client, arrays, predict_request
from tests.e2e.test_public_clients import TOKEN
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import publish_scores, save_logarithms
from tests.savedmodels.dtypes import DTYPES, save_every_dtype
from tests.waiting import eventually

MODELS = Path(__file__).resolve().parents[2] / "saved_models"
LATEST = {model: max(Store(MODELS).versions(model).items())[1] for model in Store(MODELS).models()}
GOLDEN = [
    pytest.param(model, example, id=f"{model}-{number}")
    for model, directory in LATEST.items()
    for number, example in enumerate((read_golden(directory)).examples)
]
TRITON_TYPES = {"float32": "FP32", "float64": "FP64", "float16": "FP16", "string": "BYTES"}
HEALTH = "/grpc.health.v1.Health"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def service(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory, port: int
) -> Service:
    root = tmp_path_factory.mktemp("models")
    for model, directory in LATEST.items():
        shutil.copytree(directory, root / model / directory.name)
    publish_affine(root)
    publish_scores(root)
    save_every_dtype(root / "every_dtype" / "1")
    save_logarithms(root / "logarithms" / "1")
    return start_service(
        root,
        wait_for="/v2/health/ready",
        UNDERSTUDY_GRPC_PORT=str(port),
        UNDERSTUDY_ADMIN_TOKEN=TOKEN,
        UNDERSTUDY_QUIET_S="0",
    )


@pytest.fixture
def client(service: Service, port: int) -> Iterator[Client]:
    found = Client(f"127.0.0.1:{port}")
    yield found
    found.channel.close()


@pytest.fixture
def v2(service: Service, port: int) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as found:
        yield found


def given(name: str, array: Any, kind: str | None = None, library: Any = triton) -> Any:
    kind = kind or TRITON_TYPES["string" if array.dtype == object else str(array.dtype)]
    tensor = library.InferInput(name, list(array.shape), kind)
    tensor.set_data_from_numpy(array)
    return tensor


def image(width: int = 28) -> Any:
    return given("image", np.zeros((1, 28, width), np.float32))


def from_json(signature: Signature, values: Any, *, by_rows: bool) -> dict[str, np.ndarray]:
    """Return a response's values as arrays of the contract's dtypes."""
    if len(signature.outputs) == 1:
        name = signature.outputs[0].name
        values = [{name: row} for row in values] if by_rows else {name: values}
    found = {}
    for field in signature.outputs:
        value = [row[field.name] for row in values] if by_rows else values[field.name]
        found[field.name] = np.array(value, dtype=field.numpy_type)
    return found


def over_rest(service: Service, model: str, example: GoldenExample, s: Signature) -> Iterator[Any]:
    path = f"/v1/models/{model}:predict"
    head = {"signature_name": s.name}
    rows = service.post(path, {**head, "instances": [example.instance]}).json()
    yield from_json(s, rows["predictions"], by_rows=True)
    columns = {name: [value] for name, value in example.instance.items()}
    found = service.post(path, {**head, "inputs": columns}).json()
    yield from_json(s, found["outputs"], by_rows=False)
    # Nested values keep their nulls and their bytes in base64.
    types = {f.name: TRITON_TYPES.get(f.dtype, f.dtype.upper()) for f in s.inputs}
    tensors = batch_of(s, [example])
    inputs = [
        {
            "name": name,
            "shape": list(tensors[name].shape),
            "datatype": types[name],
            "data": [value],
        }
        for name, value in example.instance.items()
    ]
    body = {"parameters": head, "inputs": inputs}
    response = service.post(f"/v2/models/{model}/infer", body)
    outputs = {item["name"]: item for item in response.json()["outputs"]}
    yield {
        f.name: np.array(outputs[f.name]["data"], f.numpy_type).reshape(outputs[f.name]["shape"])
        for f in s.outputs
    }


@pytest.mark.parametrize(("model", "example"), GOLDEN)
def test_six_wire_formats_agree_to_the_bit(
    service: Service,
    client: Client,
    v2: triton.InferenceServerClient,
    model: str,
    example: GoldenExample,
) -> None:
    signature = read_card(LATEST[model]).contract[example.signature]
    tensors = batch_of(signature, [example])
    answers = list(over_rest(service, model, example, signature))
    named = {"signature_name": signature.name}
    with triton_http.InferenceServerClient(service.url.removeprefix("http://")) as http:
        inputs = [given(name, array, library=triton_http) for name, array in tensors.items()]
        result = http.infer(model, inputs, parameters=named)
        answers.append({f.name: result.as_numpy(f.name) for f in signature.outputs})
    answers.append(arrays(client.predict(predict_request(model, tensors, signature.name))))
    inputs = [given(name, array) for name, array in tensors.items()]
    result = v2.infer(model, inputs, parameters=named)
    answers.append({f.name: result.as_numpy(f.name) for f in signature.outputs})
    assert len(answers) == 6
    for field in signature.outputs:
        seen = set()
        for answer in answers:
            array = answer[field.name]
            if field.dtype == "string":
                values = [v.encode() if isinstance(v, str) else v for v in array.ravel().tolist()]
                seen.add(tuple(values))
            else:
                assert array.dtype == field.numpy_type
                seen.add(array.tobytes())
        assert len(seen) == 1, field.name


def test_every_dtype_in_v1_and_v2(client: Client, v2: triton.InferenceServerClient) -> None:
    tensors = {
        name: np.array([[b"a", b""]], dtype=object)
        if name == "string"
        else np.array([[1, 0]]).astype(dtype.as_numpy_dtype)
        for name, dtype in DTYPES.items()
    }
    for name, array in arrays(client.predict(predict_request("every_dtype", tensors))).items():
        assert (array == tensors[name.removeprefix("same_")]).all()
        assert array.dtype == tensors[name.removeprefix("same_")].dtype
    kinds = {name: TRITON_TYPES.get(name, name.upper()) for name in DTYPES}
    result = v2.infer("every_dtype", [given(n, a, kinds[n]) for n, a in tensors.items()])
    for name, array in tensors.items():
        assert (result.as_numpy(f"same_{name}") == array).all()


def test_typed_contents_are_answered_with_typed_contents(client: Client) -> None:
    request = message_class("inference.ModelInferRequest")(model_name="affine", id="7")
    for name, kind, shape in (("x", "FP32", [1, 2]), ("text", "BYTES", [1])):
        tensor = request.inputs.add(name=name, datatype=kind, shape=shape)
        if kind == "FP32":
            tensor.contents.fp32_contents.extend([1, 2])
        else:
            tensor.contents.bytes_contents.append(b"quiet")
    method = "/inference.GRPCInferenceService/ModelInfer"
    response = client.call(method, request, "inference.ModelInferResponse")
    outputs = {output.name: output.contents for output in response.outputs}
    assert response.id == "7"
    assert outputs["y"].fp32_contents == [5]
    assert outputs["loud"].bytes_contents == [b"QUIET"]
    assert not response.raw_output_contents
    request.inputs[0].contents.fp32_contents.append(3)
    with pytest.raises(grpc.RpcError) as caught:
        client.call(method, request, "inference.ModelInferResponse")
    assert caught.value.details() == (
        "inputs[0].contents: Expected 2 values in fp32_contents, for shape [1, 2], not 3."
    )


def test_versions_labels_and_outputs(client: Client) -> None:
    request = predict_request("clothing", {"image": np.zeros((2, 28, 28), np.float32)})
    request.model_spec.version.value = int(LATEST["clothing"].name)
    request.output_filter.append("class_id")
    response = client.predict(request)
    assert list(response.outputs) == ["class_id"]
    assert response.model_spec.version.value == int(LATEST["clothing"].name)
    request.model_spec.version_label = "nope"
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(request)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_examples_and_descriptions(client: Client) -> None:
    request = message_class(f"{SERVING}.ClassificationRequest")()
    request.model_spec.name = "sentiment"
    features = request.input.example_list.examples.add().features.feature
    features["text"].bytes_list.value.append(b"A clever, moving film.")
    method = f"/{SERVING}.PredictionService/Classify"
    found = client.call(method, request, f"{SERVING}.ClassificationResponse")
    (row,) = found.result.classifications
    assert [each.label for each in row.classes] == ["negative", "positive"]
    assert row.classes[1].score > 0.5

    example = read_golden(LATEST["mpg"]).examples[0]
    several = message_class(f"{SERVING}.MultiInferenceRequest")()
    features = several.input.example_list_with_context.examples.add().features.feature
    for name, value in example.instance.items():
        if isinstance(value, str):
            features[name].bytes_list.value.append(value.encode())
        elif value is not None:
            features[name].float_list.value.append(value)
    for _ in range(2):
        several.tasks.add(method_name="tensorflow/serving/regress").model_spec.name = "mpg"
    method = f"/{SERVING}.PredictionService/MultiInference"
    found = client.call(method, several, f"{SERVING}.MultiInferenceResponse")
    values = [result.regression_result.regressions[0].value for result in found.results]
    assert values == pytest.approx([example.prediction["mpg"]] * 2, rel=1e-3)
    several.tasks[1].model_spec.name = "nobody"
    with pytest.raises(grpc.RpcError, match=r'details = "tasks\[1\]: There is no model \'nobody\''):
        client.call(method, several, f"{SERVING}.MultiInferenceResponse")

    asked = message_class(f"{SERVING}.GetModelMetadataRequest")(metadata_field=["signature_def"])
    asked.model_spec.name = "mpg"
    method = f"/{SERVING}.PredictionService/GetModelMetadata"
    found = client.call(method, asked, f"{SERVING}.GetModelMetadataResponse")
    signatures = message_class(f"{SERVING}.SignatureDefMap")()
    assert found.metadata["signature_def"].Unpack(signatures)
    assert "weight" in signatures.signature_def["serving_default"].inputs

    asked = message_class(f"{SERVING}.GetModelStatusRequest")()
    asked.model_spec.name = "mpg"
    method = f"/{SERVING}.ModelService/GetModelStatus"
    found = client.call(method, asked, f"{SERVING}.GetModelStatusResponse")
    assert [status.state for status in found.model_version_status] == [30]


def of_examples(verb: str, model: str, signature: str, examples: list[dict[str, Any]]) -> Any:
    """Return a request to classify or regress."""
    request = message_class(f"{SERVING}.{verb}Request")()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for example in examples:
        features = request.input.example_list.examples.add().features.feature
        for name, value in example.items():
            if isinstance(value, str):
                features[name].bytes_list.value.append(value.encode())
            elif isinstance(value, list):
                features[name].float_list.value.extend(value)
            else:
                features[name].float_list.value.append(value)
    return request


def test_answers_to_examples_may_be_infinite(service: Service, client: Client) -> None:
    """A message can hold it, as that of Predict does; JSON cannot, and says so."""
    infinite = float("inf")
    request = of_examples("Classification", "logarithms", "classify", [{"x": [0.0, 1.0]}])
    method = f"/{SERVING}.PredictionService/Classify"
    found = client.call(method, request, f"{SERVING}.ClassificationResponse")
    (row,) = found.result.classifications
    assert [(each.label, each.score) for each in row.classes] == [("left", -infinite), ("right", 0)]

    request = of_examples("Regression", "logarithms", "regress", [{"x": [0.0, 1.0]}])
    method = f"/{SERVING}.PredictionService/Regress"
    found = client.call(method, request, f"{SERVING}.RegressionResponse")
    assert [each.value for each in found.result.regressions] == [-infinite]

    for verb in ("classify", "regress"):
        body = {"signature_name": verb, "examples": [{"x": [0.0, 1.0]}]}
        answer = service.post(f"/v1/models/logarithms:{verb}", body)
        assert answer.status_code == 400
        assert "JSON has no such number" in answer.json()["error"]


@pytest.mark.parametrize("first", [[], [1.0]])
def test_nan_in_examples_is_held_to_the_contract(client: Client, first: list[float]) -> None:
    """As in the tensors of Predict, it stands for null, which few inputs may be."""
    method, answer = f"/{SERVING}.PredictionService/Regress", f"{SERVING}.RegressionResponse"
    car = next(e.instance for e in read_golden(LATEST["mpg"]).examples)
    known = {name: float(v) if type(v) is int else v for name, v in car.items() if v is not None}

    unknown = {name: value for name, value in known.items() if name != "horsepower"}
    nan = {**unknown, "horsepower": float("nan")}
    request = of_examples("Regression", "mpg", "", [nan, unknown])
    one, other = client.call(method, request, answer).result.regressions
    assert one.value == other.value

    request = of_examples("Regression", "mpg", "", [known, {**known, "weight": float("nan")}])
    with pytest.raises(grpc.RpcError) as caught:
        client.call(method, request, answer)
    assert caught.value.details() == (
        "examples[1].weight: Expected a number from 1000 to 7000 lb, not nan."
    )
    row = [*first, float("nan"), 2.0][:2]
    request = of_examples("Regression", "logarithms", "regress", [{"x": row}])
    with pytest.raises(grpc.RpcError) as caught:
        client.call(method, request, answer)
    assert caught.value.details() == (
        f"examples[0].x[{len(first)}]: Expected a number within float32, not nan."
    )


def test_triton_s_client(v2: triton.InferenceServerClient) -> None:
    assert v2.is_server_live()
    assert v2.is_server_ready()
    assert v2.is_model_ready("affine")
    assert not v2.is_model_ready("affine", "9")
    assert not v2.is_model_ready("nope")
    assert "statistics" in v2.get_server_metadata().extensions
    assert v2.get_model_metadata("scores").inputs[0].shape == [-1, 3]
    v2.infer("scores", [given("x", np.ones((1, 3), np.float32))])
    statistics = v2.get_inference_statistics("scores").model_stats
    assert statistics[0].inference_stats.success.count >= 1
    index = {item.name: item.state for item in v2.get_model_repository_index().models}
    assert index["clothing"] == "READY"
    with pytest.raises(triton.InferenceServerException, match="UNAUTHENTICATED"):
        v2.unload_model("scores")
    top = v2.infer(
        "clothing", [image()], outputs=[triton.InferRequestedOutput("probabilities", class_count=2)]
    )
    assert len(top.as_numpy("probabilities")[0]) == 2


def test_streams_go_on_after_an_error(v2: triton.InferenceServerClient) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    v2.start_stream(lambda result, error: answers.put(error or result.get_response().id))
    for number in range(40):
        v2.async_stream_infer(
            "clothing", [image(27 if number == 3 else 28)], request_id=str(number)
        )
    found = [answers.get(timeout=60) for _ in range(40)]
    assert "Expected [N, 28, 28]" in str(found.pop(3))
    assert found == [str(number) for number in range(40) if number != 3]
    # It is not ended by the client, and ends with the worker; see below.
    v2.stop_stream(cancel_requests=True)


def test_health_follows_a_model(client: Client, v2: triton.InferenceServerClient) -> None:
    def check(name: str) -> int:
        request = message_class("grpc.health.v1.HealthCheckRequest")(service=name)
        return client.call(f"{HEALTH}/Check", request, "grpc.health.v1.HealthCheckResponse").status

    assert [check(""), check("scores"), check("inference.GRPCInferenceService")] == [1, 1, 1]
    with pytest.raises(grpc.RpcError) as caught:
        check("nope")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = client.channel.unary_stream(f"{HEALTH}/Watch")
    watched = [watch(b"\x0a\x06scores", timeout=60) for _ in range(200)]
    unknown = watch(b"\x0a\x04nope", timeout=60)
    token = {"authorization": f"Bearer {TOKEN}"}
    assert next(unknown) == b"\x08\x03"
    assert {next(each) for each in watched} == {b"\x08\x01"}
    v2.unload_model("scores", headers=token)
    assert {next(each) for each in watched} == {b"\x08\x02"}
    v2.load_model("scores", headers=token)
    assert {next(each) for each in watched} == {b"\x08\x01"}
    for each in (*watched, unknown):
        each.cancel()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_lists_and_describes(client: Client, version: str) -> None:
    package = f"grpc.reflection.{version}"
    request = message_class(f"{package}.ServerReflectionRequest")
    call = client.channel.stream_stream(f"/{package}.ServerReflection/ServerReflectionInfo")
    asked = [
        request(list_services="*"),
        request(file_containing_symbol="inference.GRPCInferenceService"),
        request(file_by_filename="nope.proto"),
    ]
    sent = iter([each.SerializeToString() for each in asked])
    response = message_class(f"{package}.ServerReflectionResponse")
    listed, described, missing = map(response.FromString, call(sent, timeout=30))
    names = [each.name for each in listed.list_services_response.service]
    assert "tensorflow.serving.PredictionService" in names
    file = FileDescriptorProto.FromString(
        described.file_descriptor_response.file_descriptor_proto[0]
    )
    assert file.package == "inference"
    assert missing.error_response.error_code == 5


def test_errors_have_the_words_of_rest_and_their_places(service: Service, client: Client) -> None:
    inputs = {
        "x": np.array([[1, 2], [3, 999]], np.float32),
        "text": np.array([b"quiet", b"loud"], object),
    }
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(predict_request("affine", inputs), metadata=(("x-request-id", "mine"),))
    body = {"inputs": {"x": inputs["x"].tolist(), "text": ["quiet", "loud"]}}
    rest = service.post("/v1/models/affine:predict", body).json()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == rest["error"]
    trailing = dict(caught.value.trailing_metadata())
    assert trailing["x-request-id"] == "mine"
    assert trailing["x-model-version"] == "1"
    status = message_class("google.rpc.Status").FromString(trailing["grpc-status-details-bin"])
    places = message_class("google.rpc.BadRequest")()
    assert status.details[0].Unpack(places)
    assert {v.field: [v.description] for v in places.field_violations} == rest["details"]


@pytest.mark.parametrize(
    ("method", "data"),
    [
        (f"/{SERVING}.PredictionService/Predict", b"\x0a\xff\xff\xff\xff\x0f"),
        (f"/{SERVING}.PredictionService/Predict", b""),
        (f"/{SERVING}.PredictionService/Classify", b"\xff" * 50),
        (f"/{SERVING}.PredictionService/MultiInference", b""),
        (f"/{SERVING}.PredictionService/GetModelMetadata", b"\x01"),
        ("/inference.GRPCInferenceService/ModelInfer", b"\xff\xff"),
        ("/inference.GRPCInferenceService/ModelMetadata", b"\x0a\x01"),
        ("/inference.GRPCInferenceService/ModelStatistics", b"\x07"),
        (f"{HEALTH}/Check", b"\x0a\x09abc"),
    ],
)
def test_what_is_no_message_is_refused(client: Client, method: str, data: bytes) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary(method)(data, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details()


@pytest.mark.parametrize(
    ("method", "data", "words"),
    [
        (f"/{SERVING}.PredictionService/Predict", bytes(33 * 2**20), "larger than max"),
        # Two bytes a message, which takes a hundred once it is parsed.
        (f"/{SERVING}.PredictionService/Predict", b"\x12\x00" * 10**6, "more than 100000 messages"),
        ("/inference.GRPCInferenceService/ModelInfer", b"\x32\x00" * 10**6, "100000 messages"),
        ("/inference.GRPCInferenceService/TraceSetting", bytes(2**20 + 1), "larger than 1048576"),
    ],
)
def test_a_message_beyond_the_limits_is_refused(
    client: Client, method: str, data: bytes, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.channel.unary_unary(method)(data, timeout=30)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert words in caught.value.details()


@pytest.mark.parametrize(("further", "is_answered"), [({b"te": b"trailers"}, True), ({}, False)])
def test_only_who_may_send_te_is_answered(
    service: Service, port: int, further: dict[bytes, bytes], is_answered: bool
) -> None:
    """Scripts of a browser's page may not, so hosts need not be checked."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
        return head + stream.to_bytes(4, "big") + payload

    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/inference.GRPCInferenceService/ServerLive",
        b":authority": b"elsewhere.example",
        b"content-type": b"application/grpc",
        **further,
    }
    block = b"".join(
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in headers.items()
    )
    request = frame(1, 4, 1, block) + frame(0, 1, 1, bytes(5))
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + request)
        received = b""
        # A message that says yes, or the end of the stream.
        ends = frame(0, 0, 1, bytes(4) + b"\x02\x08\x01"), frame(3, 0, 1, b"\0\0\0\x02")
        while not any(end in received for end in ends):
            part = connection.recv(65536)
            assert part
            received += part
    assert (ends[0] in received) is is_answered


def good_requests() -> Iterator[tuple[str, bytes]]:
    prediction = f"/{SERVING}.PredictionService"
    image = np.zeros((1, 28, 28), np.float32)
    yield f"{prediction}/Predict", predict_request("clothing", {"image": image}).SerializeToString()
    x = {"x": np.ones((1, 2), np.float32), "text": np.array([b"quiet"], object)}
    yield f"{prediction}/Predict", predict_request("affine", x).SerializeToString()
    request = message_class(f"{SERVING}.ClassificationRequest")()
    request.model_spec.name = "sentiment"
    features = request.input.example_list_with_context.examples.add().features.feature
    features["text"].bytes_list.value.append(b"A clever, moving film.")
    yield f"{prediction}/Classify", request.SerializeToString()
    request = message_class("inference.ModelInferRequest")(model_name="affine")
    for name, kind, shape in (("x", "FP32", [1, 2]), ("text", "BYTES", [1])):
        request.inputs.add(name=name, datatype=kind, shape=shape).parameters["a"].int64_param = 1
    request.inputs[0].contents.fp32_contents.extend([1, 2])
    request.inputs[1].contents.bytes_contents.append(b"quiet")
    request.outputs.add(name="y").parameters["b"].string_param = "c"
    yield "/inference.GRPCInferenceService/ModelInfer", request.SerializeToString()


def spoilt(data: bytes, chance: random.Random) -> bytes:
    """Return bytes that were cut, or of which some were changed, added or taken away."""
    spoiled = bytearray(data)
    # What says how the rest is to be read stands at the beginning and at the end.
    place = chance.choice([chance.randrange(min(100, len(data))), chance.randrange(len(data))])
    match chance.randrange(4):
        case 0:
            del spoiled[place:]
        case 1:
            spoiled[place] = chance.randrange(256)
        case 2:
            # A number as large as there is, 2^31 and some number.
            numbers = (
                b"\xff" * 9 + b"\x01",
                b"\x80\x80\x80\x80\x08",
                bytes([chance.randrange(256)]),
            )
            spoiled[place:place] = chance.choice(numbers)
        case _:
            del spoiled[place : place + chance.randrange(1, 5)]
    return bytes(spoiled)


def test_spoilt_messages_are_answered_in_words(service: Service, client: Client, port: int) -> None:
    workers, chance = service.workers(), random.Random(16)
    calls = {method: client.channel.unary_unary(method) for method, _ in good_requests()}
    sent = [
        calls[method].future(spoilt(data, chance), timeout=60)
        for method, data in good_requests()
        for _ in range(300)
    ]
    failed = [call for call in sent if call.exception(timeout=60) is not None]
    assert {call.code() for call in failed} <= {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    }
    assert all(call.details() for call in failed)
    assert len(failed) > 200
    assert service.workers() == workers
    assert "Traceback" not in service.errors.read_text()


def test_a_watch_that_is_no_message_is_refused(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        next(client.channel.unary_stream(f"{HEALTH}/Watch")(b"\x0a\x09abc", timeout=30))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def under_way(service: Service) -> float:
    lines = requests.get(f"{service.url}/metrics", timeout=60).text.splitlines()
    return sum(
        float(line.split()[-1])
        for line in lines
        if line.startswith("understudy_requests_in_flight")
    )


def test_floods_deadlines_and_hang_ups_leave_nothing_behind(service: Service, port: int) -> None:
    async def flood() -> list[Any]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{port}") as v2:
            calls = [v2.infer("clothing", [image()]) for _ in range(2500)]
            calls += [v2.infer("clothing", [image()], client_timeout=1e-3) for _ in range(50)]
            hung_up = [asyncio.ensure_future(v2.infer("clothing", [image()])) for _ in range(50)]
            found = asyncio.gather(*calls, return_exceptions=True)
            await asyncio.sleep(0)
            for each in hung_up:
                each.cancel()
            await asyncio.gather(*hung_up, return_exceptions=True)
            return [*await found, await v2.infer("clothing", [image()])]

    *found, last = asyncio.run(flood())
    failed = [each for each in found if isinstance(each, Exception)]
    # More than may wait are refused in words; gRPC itself ends none without any.
    assert {each.message() for each in failed if "UNAVAILABLE" in each.status()} <= {
        "Too many predictions are under way for model 'clothing': 1024, which is the limit."
    }
    known = {"StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED"}
    assert {each.status() for each in failed} <= known
    assert len(failed) < len(found)
    assert last.as_numpy("class_id") is not None
    # The question itself is under way when it is asked.
    eventually(lambda: under_way(service) <= 1)


def test_no_library_of_grpc_is_in_any_process(service: Service) -> None:
    """Its threads would not survive a fork; the service has its own transport."""
    for pid in (service.process.pid, *service.workers()):
        assert "cygrpc" not in Path(f"/proc/{pid}/maps").read_text()


def test_a_worker_that_stops_loses_no_call(service: Service, port: int) -> None:
    failures: list[str] = []
    answered = [0] * 4
    ended = threading.Event()

    def ask(number: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with triton.InferenceServerClient(f"127.0.0.1:{port}", channel_args=options) as v2:
            while not ended.is_set():
                try:
                    v2.infer("clothing", [image()])
                except triton.InferenceServerException as error:
                    failures.append(str(error))
                answered[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    before = service.workers()
    eventually(lambda: all(count > 20 for count in answered))
    os.kill(before[0], signal.SIGTERM)
    eventually(lambda: before[0] not in service.workers())
    counts = list(answered)
    eventually(lambda: all(a > b + 20 for a, b in zip(answered, counts, strict=True)))
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_who_connects_while_the_workers_are_replaced_waits(service: Service, port: int) -> None:
    before = set(service.workers())
    service.process.send_signal(signal.SIGHUP)
    while before & set(service.workers()):
        with triton.InferenceServerClient(f"127.0.0.1:{port}") as v2:
            assert v2.infer("clothing", [image()]).as_numpy("class_id") is not None
