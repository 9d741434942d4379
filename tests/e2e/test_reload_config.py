"""HandleReloadConfigRequest of the real service: other models, in all workers, while it serves."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests

from service.grpc.messages import message_class
from tests.e2e.conftest import Service, StartService, free_port
from tests.e2e.grpc_client import SERVING, Client
from tests.e2e.service_state import ONLY_Y
from tests.e2e.test_public_clients import TOKEN
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

METHOD = f"/{SERVING}.ModelService/HandleReloadConfigRequest"
BEARER = (("authorization", f"Bearer {TOKEN}"),)
# Of a call over a connection whose worker may have ended.
LATER = {"metadata": BEARER, "wait_for_ready": True}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models at base paths of their own."""
    root = tmp_path_factory.mktemp("base_paths")
    publish_affine(root, model="one", bias=0.0)
    publish_affine(root / "deep", model="two", bias=100.0)
    return root


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def service(start_service: StartService, models: Path, tmp_path: Path, port: int) -> Service:
    file = tmp_path / "models.config"
    file.write_text(f'model_config_list {{ config {{ name: "one" base_path: "{models}/one" }} }}')
    return start_service(
        tmp_path / "none",
        UNDERSTUDY_MODEL_CONFIG_FILE=str(file),
        UNDERSTUDY_GRPC_PORT=str(port),
        UNDERSTUDY_ADMIN_TOKEN=TOKEN,
        UNDERSTUDY_QUIET_S="0",
    )


@pytest.fixture
def client(service: Service, port: int) -> Iterator[Client]:
    found = Client(f"127.0.0.1:{port}")
    yield found
    found.channel.close()


def reload(client: Client, metadata: Any = BEARER, **base_paths: Path) -> Any:
    request = message_class(f"{SERVING}.ReloadConfigRequest")()
    request.config.model_config_list.SetInParent()
    for name, path in base_paths.items():
        request.config.model_config_list.config.add(name=name, base_path=str(path))
    return client.call(METHOD, request, f"{SERVING}.ReloadConfigResponse", metadata=metadata)


def states(service: Service) -> dict[str, set[int]]:
    """Return the status codes of predictions, asked over connections of their own."""

    def ask(model: str) -> int:
        url = f"{service.url}/v1/models/{model}:predict"
        return requests.post(url, json=ONLY_Y, timeout=10).status_code

    return {model: {ask(model) for _ in range(12)} for model in ("one", "two")}


def test_other_models_serve_once_the_call_returns(
    service: Service, client: Client, models: Path
) -> None:
    assert states(service) == {"one": {200}, "two": {404}}
    answer = reload(client, two=models / "deep" / "two")
    assert answer.status.error_code == 0
    assert states(service)["two"] == {200}
    # Until its next look a worker may think that others still have what was taken away.
    eventually(lambda: states(service)["one"] == {404})
    # What was served before comes back, and nothing fails of what is served before and after.
    ended, codes = threading.Event(), set()

    def watch() -> None:
        while not ended.is_set():
            codes.update(states(service)["two"])

    thread = threading.Thread(target=watch)
    thread.start()
    reload(client, one=models / "one", two=models / "deep" / "two")
    assert states(service)["one"] == {200}
    ended.set()
    thread.join()
    assert codes == {200}
    # A worker that comes later serves the same.
    victim = service.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in service.workers() and len(service.workers()) == 2)
    eventually(lambda: states(service) == {"one": {200}, "two": {200}})
    # The model that was added can be unloaded and loaded as any other.
    for verb, code in (("Unload", {404}), ("Load", {200})):
        request = message_class(f"inference.RepositoryModel{verb}Request")(model_name="two")
        method = f"/inference.GRPCInferenceService/RepositoryModel{verb}"
        client.call(method, request, f"inference.RepositoryModel{verb}Response", **LATER)
        assert states(service)["two"] == code
    # A reload of the service goes by the file.
    os.kill(service.process.pid, signal.SIGHUP)
    eventually(lambda: states(service) == {"one": {200}, "two": {404}})
    assert "Traceback" not in service.errors.read_text()


def test_what_cannot_be_is_refused_with_the_reason(
    service: Service, client: Client, models: Path, tmp_path: Path
) -> None:
    def refused(code: grpc.StatusCode, message: str, metadata: Any = BEARER, **paths: Any) -> None:
        with pytest.raises(grpc.RpcError) as caught:
            reload(client, metadata, **paths)
        assert caught.value.code() is code
        assert message in caught.value.details()

    one = models / "one"
    refused(grpc.StatusCode.UNAUTHENTICATED, "Expected the admin token", (), one=one)
    wrong = (("authorization", "Bearer wrong"),)
    refused(grpc.StatusCode.UNAUTHENTICATED, "Expected the admin token", wrong, one=one)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    refused(invalid, "config: config 1 (x): base_path: It is missing", x="")
    refused(invalid, "config: config 2 (y): base_path: 's3://b/y' is not on", one=one, y="s3://b/y")
    with pytest.raises(grpc.RpcError) as caught:
        client.call(METHOD, b"\xff", f"{SERVING}.ReloadConfigResponse", metadata=BEARER)
    assert caught.value.code() is invalid
    with pytest.raises(grpc.RpcError) as caught:
        client.call(METHOD, b"", f"{SERVING}.ReloadConfigResponse", metadata=BEARER)
    assert "config: It names no models" in caught.value.details()
    assert states(service)["one"] == {200}
    # It is valid, and so stays in force: the model serves as soon as there is a version.
    refused(
        grpc.StatusCode.ABORTED, "Model 'late' was not loaded.", one=one, late=tmp_path / "late"
    )
    publish_affine(tmp_path, model="late", bias=0.0)
    eventually(lambda: service.get("/v1/models/late").ok)
    # A version that is refused is named.
    (tmp_path / "bad" / "1").mkdir(parents=True)
    (tmp_path / "bad" / "1" / "saved_model.pb").write_bytes(b"no graph")
    refused(grpc.StatusCode.ABORTED, "version 1 was refused", one=one, bad=tmp_path / "bad")
    assert states(service)["one"] == {200}
