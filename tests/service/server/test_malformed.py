"""Malformed requests, through the real service: a status, one JSON body, and an orderly end."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Service, StartService, start_service
from tests.savedmodels.affine import publish_affine
from tests.service.server.malformed import MOST_BYTES, REQUESTS
from tests.service.server.wire import GET, answer

__all__ = ["start_service"]


@pytest.fixture(scope="module")
def service(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    models = tmp_path_factory.mktemp("models")
    publish_affine(models)
    service = start_service(
        models, UNDERSTUDY_WORKERS="1", UNDERSTUDY_MAX_BODY_BYTES=str(MOST_BYTES)
    )
    yield service
    said = service.errors.read_text()
    assert "Traceback" not in said, said


def _connect(service: Service) -> socket.socket:
    port = int(service.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


@pytest.mark.parametrize("is_handed_on", [False, True], ids=["first", "handed on"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_malformed_request(service: Service, name: str, is_handed_on: bool) -> None:
    request = REQUESTS[name]
    with _connect(service) as connection:
        if is_handed_on:
            # From its first request that is no prediction a connection is gunicorn's protocol's.
            connection.sendall(GET % b"livez")
            assert answer(connection)[0] == 200
        connection.sendall(request.sent)
        status, headers, body = answer(connection)
        assert status == request.status, body
        assert headers["Content-Type"] == "application/json"
        assert (status >= 400) == ("error" in json.loads(body))
        if headers["Connection"] == "close":
            # An orderly end, not a reset, and not a byte after the answer.
            assert connection.recv(1) == b""
        else:
            assert not request.ends
            connection.sendall(GET % b"livez")
            assert answer(connection)[0] == 200
    with _connect(service) as connection:
        connection.sendall(GET % b"livez")
        assert answer(connection)[0] == 200


def test_who_waits_to_be_told_to_go_on_is_told_when_the_body_is_wanted(service: Service) -> None:
    body = b'{"instances": [{"x": [1, 2], "text": "quiet", "shift": 0}]}'
    head = (
        b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    told = b"HTTP/1.1 100 Continue\r\n\r\n"
    with _connect(service) as connection:
        for _ in range(2):
            connection.sendall(head)
            assert connection.recv(len(told), socket.MSG_WAITALL) == told
            connection.sendall(body)
            status, headers, _ = answer(connection)
            assert (status, headers["Connection"]) == (200, None)
