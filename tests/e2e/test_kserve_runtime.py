"""KServe's runtime, as its manifest starts it: on a folder that stands for /mnt/models."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.e2e.conftest import Service, free_port
from tests.e2e.test_tensorflow_serving_start import ENTRYPOINT
from tests.forked import SERVICE, ForkedCommand
from tests.savedmodels.classes import save_half_plus_three
from tests.waiting import eventually

# The image's command tensorflow_model_server.
COMMAND = ENTRYPOINT.replace("run_in_image", "run")
# What KServe takes of the InferenceService.
NAME = "half-plus-three"


class Runtime(Service):
    """The service in KServe's container, with the folder of its models."""

    models: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, repository_root: Path) -> Iterator[Runtime]:
    manifest = repository_root / "deploy/kubernetes/kserve/cluster-serving-runtime.yaml"
    container: dict[str, Any] = yaml.safe_load(manifest.read_text())["spec"]["containers"][0]
    assert container["command"] == ["/usr/bin/tensorflow_model_server"]
    models = tmp_path_factory.mktemp("mnt") / "models"
    # As the storage initializer leaves it where a URI names a SavedModel itself.
    save_half_plus_three(models)
    rest, grpc = free_port(), free_port()
    here = {"{{.Name}}": NAME, "/mnt/models": str(models), "8080": str(rest), "9000": str(grpc)}
    arguments = []
    for argument in container["args"]:
        for there, instead in here.items():
            argument = argument.replace(there, instead)
        arguments.append(argument)
    logs = tmp_path_factory.mktemp("logs")
    process = ForkedCommand(
        SERVICE,
        ["-c", COMMAND, *arguments],
        cwd=repository_root,
        env={
            **{"PATH": str(Path(sys.executable).parent), "HOST": "127.0.0.1"},
            # Each core of the limit, which is one, gets a worker.
            **{"UNDERSTUDY_WORKERS": "1", "UNDERSTUDY_QUIET_S": "0"},
            **{"TMPDIR": str(tmp_path_factory.mktemp("tmp"))},
            **{each["name"]: each["value"] for each in container["env"]},
            "UNDERSTUDY_LAME_DUCK_S": "0",
        },
        stdout=logs / "out",
        stderr=logs / "err",
    )
    started = Runtime(f"http://127.0.0.1:{rest}", process, logs / "out", logs / "err")
    started.models = models

    def is_ready() -> bool:
        assert process.poll() is None, started.errors.read_text()[-3000:]
        try:
            return started.get(container["readinessProbe"]["httpGet"]["path"]).ok
        except requests.ConnectionError:
            return False

    eventually(is_ready, 120)
    yield started
    if process.poll() is None:
        started.stop()


def versions(service: Service) -> list[str]:
    """Return the versions that serve."""
    status = service.get(f"/v1/models/{NAME}").json()["model_version_status"]
    return [each["version"] for each in status if each["state"] == "AVAILABLE"]


def test_both_protocols_answer_under_the_services_name(service: Runtime) -> None:
    assert versions(service) == ["1"]
    answer = service.post(f"/v1/models/{NAME}:predict", {"instances": [2.0]})
    assert answer.json() == {"predictions": [4.0]}
    tensor = {"name": "x", "shape": [1], "datatype": "FP32", "data": [2.0]}
    answer = service.post(f"/v2/models/{NAME}/infer", {"inputs": [tensor]})
    assert answer.json()["outputs"][0]["data"] == [4.0]
    assert service.get(f"/v2/models/{NAME}/ready").ok


def test_a_version_that_is_published_on_the_volume_takes_over(service: Runtime) -> None:
    staging = service.models / ".new"
    shutil.copytree(
        service.models, staging, ignore=lambda folder, names: {"2", ".new"} & set(names)
    )
    staging.rename(service.models / "2")
    eventually(lambda: versions(service) == ["2"])
    answer = service.post(f"/v1/models/{NAME}:predict", {"instances": [2.0]})
    assert answer.json() == {"predictions": [4.0]}
