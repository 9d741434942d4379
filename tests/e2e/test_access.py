"""Keys of a service that runs: connections that stay open, header tricks, files that break."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.e2e.browser import answered_anew, at, first_answer, visit
from tests.e2e.conftest import Service, StartService, eventually, free_port
from tests.e2e.grpc_client import Client, predict_request
from tests.e2e.service_state import sample
from tests.savedmodels.affine import publish_affine
from tests.service.access.keys import add_key, remove_key
from tests.service.server.wire import Answer, answer

BODY = b'{"signature_name": "only_y", "instances": [[1, 2]]}'
URL_SECRET = "usk_in-the-address-by-mistake"


@dataclass
class Guarded:
    """A service with keys."""

    service: Service
    file: Path
    key: str
    other: str
    third: str
    caller: str
    grpc_port: int

    def connect(self) -> socket.socket:
        port = int(self.service.url.rpartition(":")[2])
        return socket.create_connection(("127.0.0.1", port), timeout=60)

    def counted(self, name: str, result: str) -> float:
        line = f'understudy_key_requests_total{{key="{name}",result="{result}"}}'
        return sample(self.service, line)

    def counts(self) -> str:
        return self.service.get("/metrics").text


@pytest.fixture(scope="module")
def guarded(
    start_service: StartService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    root, file = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("keys") / "keys.json"
    publish_affine(root)
    key, other = add_key(file, "one", "affine"), add_key(file, "two", "other")
    third = add_key(file, "three", "other")
    caller = add_key(file, "caller", "affine")
    grpc_port = free_port()
    service = start_service(
        root,
        UNDERSTUDY_GRPC_PORT=str(grpc_port),
        UNDERSTUDY_KEYS_FILE=str(file),
        UNDERSTUDY_ALLOWED_HOSTS="127.0.0.1, localhost",
        # A network by one of its addresses, which gunicorn would not take.
        UNDERSTUDY_TRUSTED_PROXIES="127.0.0.1/30, 10.0.0.1/8, ::ffff:10.0.0.0/104",
        UNDERSTUDY_ACCESS_LOG="true",
    )
    yield Guarded(service, file, key, other, third, caller, grpc_port)
    # Whatever was tried, no key is in what the service wrote.
    written = service.errors.read_text() + service.output.read_text()
    assert "Answered." in written
    assert "usk_" not in written


def head(*lines: str, length: int = len(BODY), path: str = "/v1/models/affine:predict") -> bytes:
    fields = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *lines]
    return "\r\n".join([*fields, "", ""]).encode("latin-1")


def ask(connection: socket.socket, *lines: str, path: str = "/v1/models/affine:predict") -> Answer:
    connection.sendall(head(*lines, path=path) + BODY)
    return answer(connection)


def bearer(key: str) -> str:
    return f"Authorization: Bearer {key}"


def test_a_key_that_is_removed_ends_in_the_middle_of_a_connection(guarded: Guarded) -> None:
    """And the connection stays, for those who have another key."""
    key = add_key(guarded.file, "brief")
    with guarded.connect() as connection:
        eventually(lambda: ask(connection, bearer(key))[0] == 200)
        remove_key(guarded.file, "brief")
        eventually(lambda: ask(connection, bearer(key))[0] == 401)
        assert ask(connection, bearer(guarded.key))[0] == 200


@pytest.mark.parametrize("key", ["", "usk_unknown"])
@pytest.mark.parametrize(
    "method",
    [
        "tensorflow.serving.PredictionService/Predict",
        "inference.GRPCInferenceService/ModelInfer",
        "inference.GRPCInferenceService/ModelStreamInfer",
    ],
)
def test_a_stranger_s_call_is_refused_before_its_message_has_come(
    guarded: Guarded, method: str, key: str
) -> None:
    end = threading.Event()

    def messages() -> Iterator[bytes]:
        yield bytes(200_000)
        end.wait(60)

    metadata = [("x-api-key", key)] if key else []
    with Client(f"127.0.0.1:{guarded.grpc_port}").channel as channel:
        call = channel.stream_stream(f"/{method}")(messages(), metadata=metadata, timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        end.set()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("token", ["", "wrong"])
@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("inference.GRPCInferenceService/ServerLive", "RESOURCE_EXHAUSTED"),
        ("tensorflow.serving.PredictionService/GetModelMetadata", "RESOURCE_EXHAUSTED"),
        ("grpc.health.v1.Health/Watch", "RESOURCE_EXHAUSTED"),
        ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "RESOURCE_EXHAUSTED"),
        ("tensorflow.serving.ModelService/HandleReloadConfigRequest", "PERMISSION_DENIED"),
        ("inference.GRPCInferenceService/RepositoryModelLoad", "PERMISSION_DENIED"),
    ],
)
def test_a_stranger_s_other_calls_take_no_room(
    guarded: Guarded, method: str, code: str, token: str
) -> None:
    end = threading.Event()

    def messages() -> Iterator[bytes]:
        # Less than a megabyte, which fits where no keys are in force.
        yield bytes(500_000)
        end.wait(60)

    metadata = [("authorization", f"Bearer {token}")] if token else []
    with Client(f"127.0.0.1:{guarded.grpc_port}").channel as channel:
        call = channel.stream_stream(f"/{method}")(messages(), metadata=metadata, timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        end.set()
    assert caught.value.code().name == code


def test_a_stranger_s_body_is_refused_whatever_it_asks(guarded: Guarded) -> None:
    for path in ("/livez", "/v2/repository/index", "/nowhere", "/v1/models/affine:rollback"):
        with guarded.connect() as connection:
            # It is not waited for.
            connection.sendall(head(length=10_000_000, path=path))
            status, headers, body = answer(connection)
            assert (status, headers["Connection"]) == (413, "close"), path
            assert "without an API key" in json.loads(body)["error"]


def test_large_calls_are_checked_by_the_model_that_they_ask(guarded: Guarded) -> None:
    request = predict_request("affine", {"x": np.ones((20_000, 2), np.float32)}, "only_y")
    with Client(f"127.0.0.1:{guarded.grpc_port}").channel as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        data = request.SerializeToString()
        assert call(data, metadata=[("x-api-key", guarded.caller)], timeout=60)
        with pytest.raises(grpc.RpcError) as caught:
            call(data, metadata=[("x-api-key", guarded.other)], timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    # Once, though it was looked at twice.
    eventually(lambda: guarded.counted("caller", "ok") == 1)


def test_a_refused_request_is_answered_before_its_body_comes(guarded: Guarded) -> None:
    """The body is thrown away, and what comes behind it is another request."""
    with guarded.connect() as connection:
        for _ in range(2):
            connection.sendall(head(length=1000))
            assert answer(connection)[0] == 401
            connection.sendall(head() * 3 + b"x" * (1000 - 3 * len(head())))
            assert ask(connection, bearer(guarded.key))[0] == 200
        # Several at once, of which some may not.
        good, bad = head(bearer(guarded.key)) + BODY, head(bearer(guarded.other)) + BODY
        connection.sendall(bad + good + bad + bad + good)
        assert [answer(connection)[0] for _ in range(5)] == [401, 200, 401, 401, 200]
    with guarded.connect() as connection:
        # A long body is not waited for.
        connection.sendall(head(length=10_000_000))
        status, headers, _ = answer(connection)
        assert (status, headers["Connection"]) == (401, "close")
        assert connection.recv(1) == b""
    with guarded.connect() as connection:
        connection.sendall(head("Expect: 100-continue"))
        assert answer(connection)[0] == 401
    with guarded.connect() as connection:
        connection.sendall(
            head("Transfer-Encoding: chunked").replace(b"Content-Length: 51\r\n", b"")
        )
        assert answer(connection)[0] == 401


def test_header_tricks_lead_nowhere(guarded: Guarded) -> None:
    good, wrong = bearer(guarded.key), bearer(guarded.other)
    tricks = [
        [good, wrong],
        [wrong, good],
        [good, good],
        [f"X-API-Key: {guarded.other}", f"X-API-Key: {guarded.key}"],
        [f"X_API_Key: {guarded.key}"],
        [f"Authorization : Bearer {guarded.key}"],
        ["Authorization: Bearer", f" {guarded.key}"],
        [f"Authorization:\x00Bearer {guarded.key}"],
        [f"Authorization: Bearer {guarded.key}\x0b"],
        [f"Authorization: Bearer\xa0{guarded.key}"],
        [f"Authorization: Bearer {'a' * 7000}"],
        [f"Authorization: Bearer {'a' * 70_000}"],
        [f"Proxy-Authorization: Bearer {guarded.key}"],
        [f"X-Forwarded-Authorization: Bearer {guarded.key}"],
        [f"Cookie: Authorization=Bearer {guarded.key}"],
        ["X-Original-URL: /livez"],
    ]
    for trick in tricks:
        with guarded.connect() as connection:
            status, _, body = ask(connection, *trick)
            assert status in (400, 401, 431), (trick, body)
            assert json.loads(body)["error"]
            assert guarded.key.encode() not in body
    for path in (
        "http://127.0.0.1/v1/models/affine:predict",
        "//v1/models/affine:predict",
        f"/v1/models/affine:predict?api_key={URL_SECRET}",
        f"/v1/models/affine:predict?x-api-key={guarded.key}",
        f"/v1/models/{guarded.key}:predict",
        f"/{guarded.key}",
    ):
        with guarded.connect() as connection:
            assert ask(connection, path=path)[0] in (401, 404), path
    with guarded.connect() as connection:
        assert ask(connection, f"  {good}".strip().replace(": Bearer ", ":  bearer   "))[0] == 200


def test_a_rebound_name_is_not_answered(guarded: Guarded) -> None:
    with guarded.connect() as connection:
        good = head(bearer(guarded.key)) + BODY
        for _ in range(2):
            connection.sendall(good.replace(b"Host: 127.0.0.1", b"Host: evil.example"))
            status, _, body = answer(connection)
            assert (status, json.loads(body)["code"]) == (421, "MISDIRECTED_REQUEST")
            connection.sendall(good)
            assert answer(connection)[0] == 200
    with guarded.connect() as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: evil.example:8501\r\n\r\n")
        assert answer(connection)[0] == 421
        # The host of the target counts, whatever Host says (RFC 9112, 3.2.2).
        absolute = b"GET http://%s/v1/models HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n"
        key = bearer(guarded.key).encode()
        for target, host, status in (
            (b"evil.example", b"127.0.0.1", 421),
            (b"127.0.0.1@evil.example:80", b"127.0.0.1", 421),
            (b"127.0.0.1", b"evil.example", 200),
        ):
            connection.sendall(absolute % (target, host, key))
            assert answer(connection)[0] == status, target
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n")
        assert answer(connection)[0] == 200


def lines_of(service: Service, name: str, value: str) -> list[dict[str, object]]:
    entries = [json.loads(line) for line in service.errors.read_text().splitlines() if line]
    return [entry for entry in entries if entry.get(name) == value]


def test_a_proxy_that_is_trusted_names_the_client(guarded: Guarded) -> None:
    with guarded.connect() as connection:
        ask(connection, bearer(guarded.key), "X-Forwarded-For: 6.6.6.6, 203.0.113.9")
        # A key that was not refused before: of many refusals of one the log has one a second.
        ask(connection, bearer(guarded.third), "X-Forwarded-For: 203.0.113.10, 127.0.0.1")
    eventually(lambda: lines_of(guarded.service, "client", "203.0.113.9") != [])
    eventually(lambda: lines_of(guarded.service, "client", "203.0.113.10") != [])
    (refused,) = lines_of(guarded.service, "client", "203.0.113.10")
    # The log says what the answer does not: it is a key that is known.
    assert (refused["status"], refused["key"]) == (401, "three")
    assert not lines_of(guarded.service, "client", "6.6.6.6")


def test_a_file_that_breaks_changes_nothing_for_workers_old_and_new(guarded: Guarded) -> None:
    good = guarded.file.read_bytes()

    def status() -> int:
        with guarded.connect() as connection:
            return ask(connection, bearer(guarded.key))[0]

    for breaks in (lambda: guarded.file.write_text("{"), lambda: guarded.file.chmod(0o644)):
        breaks()
        eventually(lambda: status() == 200 and "key_file_problem 1.0" in guarded.counts())
        (victim, *_) = guarded.service.workers()
        os.kill(victim, 9)
        eventually(lambda victim=victim: victim not in guarded.service.workers())
        eventually(lambda: len(guarded.service.workers()) == 2)
        assert {status() for _ in range(20)} == {200}
        guarded.file.chmod(0o600)
        guarded.file.write_bytes(good)
        eventually(lambda: status() == 200 and "key_file_problem 0.0" in guarded.counts())
    said = [line for line in guarded.service.errors.read_text().splitlines() if "last good" in line]
    assert any("keys.json is not JSON" in line for line in said)
    assert any("keys.json is too open (mode 0644)" in line for line in said)


def test_the_page_sends_a_key_and_keeps_it_in_its_tab(browser: Any, guarded: Guarded) -> None:
    with visit(browser, at(guarded.service, "affine")) as page:
        assert "API key" in answered_anew(page)["answered"]["error"]
        # What was refused is asked again at once, with each key.
        use, forget = (
            page.get_by_role("button", name=name) for name in ("Use it", "Forget the API key")
        )
        for key, said in (("usk_wrong", "is not known here"), (guarded.key, "version 1")):
            first_answer(page).get_by_text("Expected an API key").wait_for()
            page.get_by_label("API key").fill(key)
            use.click()
            page.get_by_role("region", name="Answer").get_by_text(said).wait_for()
            if key != guarded.key:
                forget.click()
        assert "predictions" in answered_anew(page)["answered"]
        # The code says where the key goes, and not the key.
        page.get_by_text("This request as code").click()
        for title in ("curl", "Python", "JavaScript", "tritonclient"):
            page.get_by_role("button", name=title, exact=True).click()
            code = page.get_by_label(title, exact=True).inner_text()
            assert "X-API-Key" in code
            assert guarded.key not in code
        page.get_by_role("button", name="Forget the API key").click()
        assert "error" in answered_anew(page)["answered"]
        assert guarded.key not in page.url


def test_a_service_that_others_reach_without_a_key_says_so_once(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service(tmp_path, wait_for="/livez", HOST="0.0.0.0")
    eventually(lambda: len(service.workers()) == 2)
    service.stop()
    said = [line for line in service.errors.read_text().splitlines() if "no key" in line]
    assert len(said) == 1
    assert "All clients that can reach 0.0.0.0 can use the models" in said[0]
    assert json.loads(said[0])["level"] == "warning"


# Hands on a listener as systemd does.
SOCKET_ACTIVATION = """
import os, socket, sys
listener = socket.create_server(("0.0.0.0", int(os.environ["PORT"])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("way", ["a listener of systemd", "gRPC on another address"])
def test_what_is_really_listened_on_counts(
    way: str, start_service: StartService, tmp_path: Path
) -> None:
    """Neither is what gunicorn's setting ``bind`` says."""
    if way == "gRPC on another address":
        port = str(free_port())
        service = start_service(
            tmp_path,
            wait_for="/livez",
            PORT=port,
            HOST="0.0.0.0",
            GUNICORN_CMD_ARGS=f"--bind 127.0.0.1:{port}",
            UNDERSTUDY_GRPC_PORT=str(free_port()),
        )
    else:
        under = (sys.executable, "-c", SOCKET_ACTIVATION)
        service = start_service(tmp_path, wait_for="/livez", under=under)
    service.stop()
    said = [line for line in service.errors.read_text().splitlines() if "no key" in line]
    assert len(said) == 1
    assert "All clients that can reach 0.0.0.0 can use the models" in said[0]
