"""Clients that close their sending side have their answers; others behind them lose nothing."""

import random
import re
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Service
from tests.savedmodels.affine import save_affine

ROW = b'{"signature_name":"only_y","instances":[[1.0,2.0]]}'
LARGE = b'{"signature_name":"only_y","instances":[' + b",".join([b"[1.0,2.0]"] * 40_000) + b"]}"


@pytest.fixture(scope="module")
def service(start_service: Any, tmp_path_factory: pytest.TempPathFactory) -> Service:
    models = tmp_path_factory.mktemp("half") / "models"
    save_affine(models / "affine" / "1")
    started: Service = start_service(models, UNDERSTUDY_MAX_ROWS="100000")
    # The first call of a worker may take longer than a half-closed connection is worked for.
    for _ in range(16):
        body = {"signature_name": "only_y", "instances": [[1.0, 2.0]]}
        assert started.post("/v1/models/affine:predict", body).ok
    return started


def predict(body: bytes = ROW, *headers: bytes) -> bytes:
    lines = [
        b"POST /v1/models/affine:predict HTTP/1.1",
        b"Host: x",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(path: bytes, version: bytes = b"1.1") -> bytes:
    return b"GET %b HTTP/%b\r\nHost: x\r\n\r\n" % (path, version)


def connect(service: Service) -> socket.socket:
    address = urlsplit(service.url)
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=60)


def statuses(service: Service, sent: bytes) -> list[bytes]:
    """Send all, close the sending side at once, and return the status of each answer."""
    with connect(service) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return re.findall(rb"HTTP/1\.[01] (\d+) ", received)


@pytest.mark.parametrize(
    ("sent", "count"),
    [
        (predict(), 1),
        (predict(ROW, b"Connection: close"), 1),
        (predict() * 3, 3),
        (predict(LARGE), 1),
        (predict(LARGE) + predict(), 2),
        (get(b"/livez"), 1),
        (get(b"/livez") * 3, 3),
        (get(b"/v1/models", b"1.0"), 1),
        (get(b"/metrics"), 1),
        (predict() + get(b"/livez"), 2),
        (get(b"/livez") + predict() + get(b"/v1/models"), 3),
    ],
    ids=lambda value: str(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_what_came_whole_is_answered(service: Service, sent: bytes, count: int) -> None:
    for _ in range(10):
        assert statuses(service, sent) == [b"200"] * count


@pytest.mark.parametrize(
    "sent", [b"", b"GET /livez", predict()[:60], predict()[:-5], predict() + predict()[:-5]]
)
def test_what_came_in_part_is_not_waited_for(service: Service, sent: bytes) -> None:
    whole = sent.count(ROW)
    assert statuses(service, sent)[:whole] == [b"200"] * whole


def test_requests_of_all_kinds_behind_one_another(service: Service) -> None:
    chance = random.Random(1)
    for _ in range(60):
        requests = [
            get(b"/livez") if chance.random() < 0.2 else predict()
            for _ in range(chance.randrange(1, 30))
        ]
        sent, received = b"".join(requests), [b""]
        with connect(service) as connection:

            def read(connection: socket.socket, received: list[bytes], count: int) -> None:
                while received[0].count(b"HTTP/1.1 ") < count:
                    data = connection.recv(65536)
                    if not data:
                        return
                    received[0] += data

            reader = threading.Thread(target=read, args=(connection, received, len(requests)))
            reader.start()
            step = chance.choice([97, 333, 1777, 9000])
            for start in range(0, len(sent), step):
                connection.sendall(sent[start : start + step])
            reader.join()
        assert received[0].count(b"HTTP/1.1 200") == len(requests)
    for log in (service.output, service.errors):
        assert "Traceback" not in log.read_text()
        assert "Exception in callback" not in log.read_text()
