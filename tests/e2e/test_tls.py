"""gRPC and HTTP under TLS: certificates of clients, API keys, certificates that change."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests

from tests.e2e.conftest import StartService, free_port
from tests.e2e.grpc_client import Client, arrays, predict_request
from tests.savedmodels.affine import publish_affine
from tests.service.access.keys import add_key
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl makes the certificates"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and certificates of a server and a client that it signed.

    The client's has no more than it must; the others have what clients of Python 3.13 ask for.
    """
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        *("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"),
        *("-addext", "keyUsage=critical,keyCertSign"),
    )
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    of_the_key = "\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid"
    for name, more in (("server", of_the_key), ("client", "")):
        (folder / "names").write_text(names + more)
        key, request, signed = f"{name}.key", f"{name}.csr", f"{name}.pem"
        openssl("req", *new_key, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", request, "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-extfile", "names", "-out", signed),
        )
    return folder


def test_tls_client_certificates_and_keys(
    start_service: StartService, certificates: Path, tmp_path: Path
) -> None:
    publish_affine(tmp_path / "models")
    key = add_key(tmp_path / "keys.json", "app", "affine")
    port, http_port = free_port(), free_port()
    files = {
        name: (certificates / name).read_bytes() for name in ("ca.pem", "client.key", "client.pem")
    }
    mutual = grpc.ssl_channel_credentials(files["ca.pem"], files["client.key"], files["client.pem"])
    request = predict_request("affine", {"x": np.ones((1, 2), np.float32)}, "only_y")
    start_service(
        tmp_path / "models",
        wait_for=None,
        PORT=str(http_port),
        UNDERSTUDY_GRPC_PORT=str(port),
        UNDERSTUDY_WORKERS="1",
        UNDERSTUDY_KEYS_FILE=str(tmp_path / "keys.json"),
        UNDERSTUDY_TLS_CERTIFICATE=str(certificates / "server.pem"),
        UNDERSTUDY_TLS_KEY=str(certificates / "server.key"),
        UNDERSTUDY_TLS_CLIENT_CA=str(certificates / "ca.pem"),
    )
    client = Client(f"localhost:{port}", mutual)
    ready = grpc.channel_ready_future(client.channel)
    ready.result(60)
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(request)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert arrays(client.predict(request, metadata=(("x-api-key", key),)))["y"].tolist() == [3]
    stranger = Client(f"localhost:{port}", grpc.ssl_channel_credentials(files["ca.pem"]))
    with pytest.raises(grpc.RpcError) as caught:
        stranger.predict(request, metadata=(("x-api-key", key),))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    url = f"https://localhost:{http_port}/v1/models/affine:predict"
    body = {"signature_name": "only_y", "instances": [[1, 1]]}
    options = {"verify": str(certificates / "ca.pem"), "headers": {"X-API-Key": key}, "timeout": 60}
    names = (str(certificates / "client.pem"), str(certificates / "client.key"))
    assert requests.post(url, json=body, cert=names, **options).json() == {"predictions": [3.0]}
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json=body, **options)


def test_clients_that_hang_up_are_not_logged(
    start_service: StartService, certificates: Path, tmp_path: Path
) -> None:
    publish_affine(tmp_path / "models")
    port = free_port()
    service = start_service(
        tmp_path / "models",
        wait_for=None,
        PORT=str(port),
        UNDERSTUDY_WORKERS="1",
        UNDERSTUDY_TLS_CERTIFICATE=str(certificates / "server.pem"),
        UNDERSTUDY_TLS_KEY=str(certificates / "server.key"),
    )
    url, authority = f"https://localhost:{port}/livez", str(certificates / "ca.pem")

    def lives() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(url, verify=authority, timeout=60).ok
        return False

    eventually(lives)
    context = ssl.create_default_context(cafile=authority)
    body = b'{"signature_name":"only_y","instances":[[1,1]]}'
    for request in (
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfour",
        b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body),
    ):
        with (
            socket.create_connection(("localhost", port)) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as client,
            contextlib.suppress(OSError),  # The answer may be on its way.
        ):
            client.sendall(request)
            client.unwrap()
    assert lives()
    assert "eof_received" not in service.errors.read_text()


def test_who_begins_no_handshake_is_not_kept(
    start_service: StartService, certificates: Path, tmp_path: Path
) -> None:
    publish_affine(tmp_path / "models")
    ports = free_port(), free_port()
    service = start_service(
        tmp_path / "models",
        wait_for=None,
        PORT=str(ports[0]),
        UNDERSTUDY_GRPC_PORT=str(ports[1]),
        UNDERSTUDY_WORKERS="1",
        UNDERSTUDY_READ_TIMEOUT_S="1",
        UNDERSTUDY_TLS_CERTIFICATE=str(certificates / "server.pem"),
        UNDERSTUDY_TLS_KEY=str(certificates / "server.key"),
    )
    eventually(lambda: "Understudy serves" in service.output.read_text())
    for port in ports:
        # asyncio alone would keep it for 60 s.
        with socket.create_connection(("127.0.0.1", port), timeout=40) as silent:
            assert silent.recv(1) == b""


def test_certificates_that_change_or_break(
    start_service: StartService, certificates: Path, tmp_path: Path
) -> None:
    publish_affine(tmp_path / "models")
    shown, key = tmp_path / "shown.pem", tmp_path / "shown.key"
    ports = free_port(), free_port()

    def show(name: str) -> None:
        shutil.copy(certificates / f"{name}.pem", shown)
        shutil.copy(certificates / f"{name}.key", key)

    def both_show(name: str) -> bool:
        expected = ssl.PEM_cert_to_DER_cert((certificates / f"{name}.pem").read_text())
        try:
            found = {ssl.get_server_certificate(("127.0.0.1", port)) for port in ports}
        except ConnectionError:
            return False
        return {ssl.PEM_cert_to_DER_cert(each) for each in found} == {expected}

    show("server")
    service = start_service(
        tmp_path / "models",
        wait_for=None,
        PORT=str(ports[0]),
        UNDERSTUDY_GRPC_PORT=str(ports[1]),
        UNDERSTUDY_WORKERS="1",
        UNDERSTUDY_TLS_CERTIFICATE=str(shown),
        UNDERSTUDY_TLS_KEY=str(key),
    )
    eventually(lambda: both_show("server"))
    show("client")
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: both_show("client"))
    shown.write_text("nothing")
    before = service.workers()
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: "What was read before stays in use." in service.errors.read_text())
    eventually(lambda: service.workers() and not set(before) & set(service.workers()))
    assert both_show("client")
    # One that takes the place of another gets what its master has, too.
    (worker,) = before = service.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: service.workers() not in ([], before))
    eventually(lambda: both_show("client"))
