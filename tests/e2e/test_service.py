"""What only real processes can show: workers, their deaths, swaps and signals."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.e2e.conftest import Service, StartService
from tests.e2e.service_state import ONLY_Y, sample, wait_for_both_workers
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    return root


@pytest.fixture(scope="module")
def service(start_service: StartService, models: Path) -> Service:
    return start_service(models)


def test_it_says_how_to_call_it(service: Service) -> None:
    eventually(lambda: "Try:" in service.output.read_text())
    text = service.output.read_text()
    assert text.count("Understudy serves on") == 1
    assert f"{service.url}/v1/models/affine:predict" in text


def test_every_line_of_its_log_is_json(service: Service) -> None:
    service.get("/nowhere")
    lines = service.errors.read_text().splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    assert any(message.startswith("Starting gunicorn") for message in messages)


def test_counters_survive_a_worker_and_gauges_are_right(service: Service) -> None:
    ok = 'understudy_requests_total{model="affine",status="200",version="1"}'
    before = sample(service, ok)
    for _ in range(20):
        assert service.post("/v1/models/affine:predict", ONLY_Y).ok
    # A worker counts at the end of its loop's turn; another may answer /metrics before.
    eventually(lambda: sample(service, ok) == before + 20)
    wait_for_both_workers(service)

    victim, *_ = service.workers()
    # A process that is killed cannot tidy up; the master must.
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in service.workers() and len(service.workers()) == 2)
    wait_for_both_workers(service)
    assert sample(service, ok) == before + 20
    assert sample(service, "understudy_requests_in_flight") == 1
    assert sample(service, 'understudy_live_version{model="affine"}') == 1
    for _ in range(5):
        assert service.post("/v1/models/affine:predict", ONLY_Y).ok
    eventually(lambda: sample(service, ok) == before + 25)


def test_a_restart_starts_from_nothing_and_leaves_nothing(
    start_service: StartService, models: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    labels = 'model="affine",signature="only_y",version="1"'
    predicted = f"understudy_predictions_total{{{labels}}}"
    for _ in range(2):
        service = start_service(models, TMPDIR=str(temporary))
        assert sample(service, predicted) == 0
        service.post("/v1/models/affine:predict", ONLY_Y)
        eventually(lambda: sample(service, predicted) == 1)  # noqa: B023
        assert service.stop() == 0
        assert list(temporary.iterdir()) == []


def test_what_is_no_http_gets_the_one_error_body(service: Service) -> None:
    address = urlsplit(service.url)
    for data, status in (
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Y: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (
            b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
        ),
    ):
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(data)
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert response.status == status, data[:40]
            assert response.headers["Content-Type"] == "application/json"
            assert b'"error"' in response.read()
    assert service.post("/v1/models/affine:predict", ONLY_Y).ok


def test_a_body_may_be_large_and_no_larger(start_service: StartService, models: Path) -> None:
    service = start_service(models, UNDERSTUDY_MAX_BODY_BYTES="1000")
    url = f"{service.url}/v1/models/affine:predict"
    body = b'{"signature_name": "only_y", "instances": [[1, 2]]}'

    for data, status in (
        (body.ljust(1000), 200),
        (body.ljust(1001), 413),
        (iter([body, b" " * (1000 - len(body))]), 200),
        (iter([body, b" " * (1001 - len(body))]), 413),
        (iter([body, b" " * 100_000]), 413),
    ):
        response = requests.post(url, data=data, timeout=60)
        assert response.status_code == status, response.text
        assert response.headers["Content-Type"] == "application/json"


def test_clients_that_pause_for_ever_do_not_hold_the_service(
    start_service: StartService, models: Path
) -> None:
    service = start_service(models, UNDERSTUDY_READ_TIMEOUT_S="1", UNDERSTUDY_THREADS="2")
    address = urlsplit(service.url)
    request = b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with contextlib.ExitStack() as open_connections:
        for _ in range(12):
            connection = socket.create_connection((address.hostname, address.port), timeout=60)
            open_connections.enter_context(connection)
            connection.sendall(request)
        assert service.get("/livez").status_code == 200
        response = open_connections.enter_context(http.client.HTTPResponse(connection))
        response.begin()
        assert response.status == 408
        response.read()


def test_a_client_that_leaves_early_hurts_nobody(service: Service) -> None:
    address = urlsplit(service.url)
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(
                b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 1000\r\n\r\n{"
            )
    assert service.post("/v1/models/affine:predict", ONLY_Y).ok
    assert len(service.workers()) == 2


def test_the_master_runs_no_tensorflow_operation(service: Service) -> None:
    """A runtime in the master would have started its threads there, and forks would hang."""
    names = [
        (task / "comm").read_text().strip()
        for task in Path(f"/proc/{service.process.pid}/task").iterdir()
    ]
    assert not [name for name in names if name.startswith("tf_")], names


def test_sigterm_lets_running_requests_finish(start_service: StartService, models: Path) -> None:
    service = start_service(models, UNDERSTUDY_WORKERS="1")
    address = urlsplit(service.url)
    body = b'{"signature_name": "only_y", "instances": [[1, 2]]}'
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        head = f"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:10])
        held = re.compile(r"\nunderstudy_connections{\S+} [1-9]")
        eventually(lambda: held.search(service.get("/metrics").text) is not None)
        with socket.create_connection((address.hostname, address.port), timeout=60) as idle:
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            first = http.client.HTTPResponse(idle)
            first.begin()
            assert first.read()
            service.process.send_signal(signal.SIGTERM)
            # The worker has parted with all connections by now over which nothing comes.
            assert idle.recv(1) == b""
        connection.sendall(body[10:])
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 200
        assert response.read() == b'{"predictions":[5.0]}'
    assert service.process.wait(60) == 0


def test_a_setting_that_is_wrong_stops_the_start_with_one_sentence(
    start_service: StartService, models: Path
) -> None:
    with pytest.raises(
        AssertionError, match="understudy: UNDERSTUDY_THREADS must be a whole number"
    ):
        start_service(models, UNDERSTUDY_THREADS="many")
