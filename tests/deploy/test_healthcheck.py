"""The health check, run as the image runs it: isolated, without any installed package."""

import http.server
import os
import re
import runpy
import socket
import subprocess
import sys
import threading

import pytest

from service.api.http.header_checks import check_headers


@pytest.fixture
def answering():
    """Start servers that answer every request with one status; return their ports."""
    servers = []

    def start(status, body=b"{}"):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                paths.append(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        paths = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return server.server_address[1], paths

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _check(root, dockerfile, port, host="0.0.0.0"):
    _, *options, script = re.findall(r'"([^"]+)"', re.search(r"HEALTHCHECK.*", dockerfile)[0])
    return subprocess.run(
        # This machine's first process may be a service, too.
        [sys.executable, *options, root / script, "/nowhere"],
        env={**os.environ, "HOST": host, "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", ""])
def test_a_ready_service_is_healthy(answering, root, dockerfile, host):
    port, paths = answering(200)
    result = _check(root, dockerfile, port, host)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert paths == ["/readyz"]


@pytest.mark.parametrize("host", ["::", "::1"])
def test_a_service_that_listens_on_ipv6_is_asked_by_a_name_that_it_takes(root, dockerfile, host):
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no IPv6 here")
    heads = []

    def answer():
        connection, _ = server.accept()
        with connection:
            heads.append(connection.recv(4096).decode())
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")

    with server:
        thread = threading.Thread(target=answer)
        thread.start()
        result = _check(root, dockerfile, server.getsockname()[1], host)
        thread.join()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    (named,) = re.findall(r"^Host: (.*)\r$", heads[0], re.MULTILINE)
    check_headers({"HTTP_HOST": named})


def test_a_service_that_is_not_ready_is_unhealthy_and_says_why(answering, root, dockerfile):
    port, _ = answering(503, b'{"error": "No model serves yet."}')
    result = _check(root, dockerfile, port)
    assert result.returncode == 1
    assert result.stdout == '/readyz: 503 {"error": "No model serves yet."}\n'


def test_a_service_that_is_gone_is_unhealthy(root, dockerfile):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = _check(root, dockerfile, port)
    assert result.returncode == 1
    assert "refused" in result.stdout


def test_a_service_that_does_not_answer_is_unhealthy(healthcheck, monkeypatch):
    monkeypatch.setattr(healthcheck, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "timed out" in healthcheck.problem("127.0.0.1", silent.getsockname()[1], "/readyz")


def _process(proc, number, command, environment):
    folder = proc / str(number)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes(command)
    (folder / "environ").write_bytes(environment)


@pytest.mark.parametrize("service", [1, 7])
def test_the_port_that_flags_have_set_is_asked(root, tmp_path, service):
    """``--rest_api_port`` is known to the service's own process alone, which an init may have started."""
    check = runpy.run_path(str(root / "deploy" / "docker" / "healthcheck.py"))
    if service != 1:
        _process(tmp_path, 1, b"/sbin/docker-init\0", b"PORT=8501\0")
    _process(tmp_path, service, b"python\0/opt/venv/bin/gunicorn\0", b"PORT=9000\0A=b=c\0PATH=/\0")
    (tmp_path / "1" / "task" / "1").mkdir(parents=True)
    (tmp_path / "1" / "task" / "1" / "children").write_text("7 8 " if service == 7 else "2 3 ")
    assert check["of_the_service"](tmp_path) == {"PORT": "9000"}
    assert check["of_the_service"](tmp_path / "none") == {}
