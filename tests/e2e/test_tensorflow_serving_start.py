"""What was written for tensorflow/serving starts the service: a compose file, but for the image."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import tensorflow as tf
import yaml

from tests.e2e.conftest import Service, free_port
from tests.forked import SERVICE, ForkedCommand
from tests.savedmodels.classes import save_half_plus_three
from tests.savedmodels.warmup import predict_log, write_warmup
from tests.waiting import eventually

# As such files are found; only "/models" is another folder here, and the ports are free ones.
COMPOSE = """
services:
  serving:
    image: tensorflow/serving
    ports: ["8500:8500", "8501:8501"]
    volumes: ["./models:/models"]
    environment:
      MODEL_NAME: half_plus_three
    command: >-
      --model_config_file=/models/models.config
      --model_config_file_poll_wait_seconds 1
      --monitoring_config_file=/models/monitoring.config
      --enable_batching=true --batching_parameters_file=/models/batching.config
      --rest_api_timeout_in_ms=10000 --file_system_poll_wait_seconds=1
      --max_num_load_retries=2 --grpc_channel_arguments=grpc.max_connection_age_ms=2000
"""
CONFIG = """
model_config_list {
  config { name: "half" base_path: "/models/half_plus_three" model_platform: "tensorflow"
    model_version_policy { specific { versions: 123 } }
    version_labels { key: "stable" value: 123 } }
  config { name: "other" base_path: "/models/elsewhere/deep" model_platform: "tensorflow" }
}
"""


class Started(Service):
    """The service that a compose file describes, with the folder that stands for /models."""

    models: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, repository_root: Path) -> Iterator[Started]:
    models = tmp_path_factory.mktemp("models")
    save_half_plus_three(models / "half_plus_three/00000123")
    for folder in ("half_plus_three/124", "elsewhere/deep/1"):
        shutil.copytree(models / "half_plus_three/00000123", models / folder)
    write_warmup(models / "elsewhere/deep/1", [predict_log({"x": tf.make_tensor_proto([1.0])})])
    write(models / "models.config", CONFIG, models)
    write(models / "monitoring.config", "prometheus_config { enable: true }", models)
    write(models / "batching.config", "max_batch_size { value: 32 }", models)
    described: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]["serving"]
    flags = shlex.split(described["command"].replace("/models/", f"{models}/"))
    grpc, rest = free_port(), free_port()
    logs = tmp_path_factory.mktemp("logs")
    process = ForkedCommand(
        SERVICE,
        ["-c", ENTRYPOINT, *flags],
        cwd=repository_root,
        env={
            **{"PATH": str(Path(sys.executable).parent), "PORT": str(rest)},
            **{"GRPC_PORT": str(grpc), "MODEL_BASE_PATH": str(models), "HOST": "127.0.0.1"},
            **{"UNDERSTUDY_WORKERS": "2", "UNDERSTUDY_LAME_DUCK_S": "0"},
            **{"TMPDIR": str(tmp_path_factory.mktemp("tmp")), "UNDERSTUDY_QUIET_S": "0"},
            **described["environment"],
        },
        stdout=logs / "out",
        stderr=logs / "err",
    )
    started = Started(f"http://127.0.0.1:{rest}", process, logs / "out", logs / "err")
    started.models = models

    def answers() -> bool:
        assert process.poll() is None, started.errors.read_text()[-3000:]
        try:
            return started.get("/v1/models/other").ok and started.get("/readyz").ok
        except requests.ConnectionError:
            return False

    eventually(answers, 120)
    yield started
    if process.poll() is None:
        started.stop()


# Becomes gunicorn in the process that has imported TensorFlow already, instead of by execve.
ENTRYPOINT = """
import os, runpy, sys
from unittest import mock

def become(path, words, environment):
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    sys.path[0] = os.path.dirname(path)
    runpy.run_path(path, run_name="__main__")

from service.tensorflow_serving import command
sys.argv[0] = "entrypoint"
with mock.patch.object(os, "execve", become):
    sys.exit(command.run_in_image())
"""


def write(file: Path, text: str, models: Path) -> None:
    file.write_text(text.replace("/models/", f"{models}/"))


def test_clients_notice_nothing(service: Started) -> None:
    for path in ("half", "half/labels/stable", "half/versions/123", "other"):
        answer = service.post(f"/v1/models/{path}:predict", {"instances": [2.0, 4.0]})
        assert answer.json() == {"predictions": [4.0, 5.0]}, path
    # The version that is pinned, by the number that it is known by.
    status = service.get("/v1/models/half").json()["model_version_status"]
    assert [each["version"] for each in status if each["state"] == "AVAILABLE"] == ["123"]


def test_dashboards_find_their_metrics(service: Started) -> None:
    service.post("/v1/models/half:predict", {"instances": [1.0]})
    text = service.get("/monitoring/prometheus/metrics").text
    assert ':tensorflow:serving:request_count{model_name="half",status="OK"}' in text
    latency = ':tensorflow:serving:request_latency_count{API="Predict",entrypoint="REST",model_name="half"}'
    assert latency in text
    assert ':tensorflow:serving:model_warmup_latency_count{model_path="other",status="OK"}' in text


def test_what_has_no_effect_is_said_once_in_the_log(service: Started) -> None:
    log = service.errors.read_text()
    for flag in ("enable_batching", "max_num_load_retries", "grpc_channel_arguments"):
        assert log.count(f"--{flag} has no effect") == 1
    assert '"Warm-up records were replayed."' in log


def test_the_file_of_models_is_followed_and_a_broken_one_is_not(service: Started) -> None:
    file = service.models / "models.config"
    file.write_text("model_config_list { config { nme: 'half' } }")

    def ignored() -> list[str]:
        return [item["reason"] for item in service.get("/v1/models").json()["ignored"]]

    eventually(lambda: any('no field named "nme"' in reason for reason in ignored()))
    assert service.post("/v1/models/half:predict", {"instances": [2.0]}).ok
    changed = CONFIG.replace("versions: 123", "versions: 124").replace("value: 123", "value: 124")
    changed = changed.replace('name: "other"', 'name: "third"')
    write(file, changed, service.models)
    eventually(lambda: service.get("/v1/models/third").ok)
    eventually(lambda: service.get("/v1/models/other").status_code == 404)

    def answering() -> set[str]:
        answers = [
            service.post("/v1/models/half/labels/stable:predict", {"instances": [2.0]})
            for _ in range(8)
        ]
        return {answer.headers["X-Model-Version"] for answer in answers if answer.ok}

    eventually(lambda: answering() == {"124"})
    assert "Traceback" not in service.errors.read_text()
