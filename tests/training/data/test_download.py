"""Downloading from a server that behaves as bad as real ones do."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from training.data.download import DownloadError, Remote, download

CONTENT = bytes(range(256)) * 2_000


class Server(ThreadingHTTPServer):
    """Serves ``CONTENT``; each test says how."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.honours_ranges = True
        self.breaks_after: int | None = None
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.bin"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        wanted = self.headers["Range"]
        server.ranges.append(wanted)
        start = 0
        status = server.status
        if wanted and server.honours_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(CONTENT) else 416
        body = CONTENT[start:] if status in (200, 206) else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.breaks_after])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def remote(server: Server, content: bytes = CONTENT) -> Remote:
    digest = hashlib.sha256(content).hexdigest()
    return Remote(name="data.bin", url=server.url, algorithm="sha256", digest=digest)


def test_a_file_arrives_whole(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = download(remote(server), tmp_path)
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]
    assert "downloading data.bin, 0.5 MB" in capsys.readouterr().out


def test_a_broken_download_goes_on_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.breaks_after = 100_000
    with pytest.raises(DownloadError, match="there is no connection"):
        download(remote(server), tmp_path)
    part = tmp_path / "data.bin.part"
    have = part.stat().st_size
    assert 0 < have <= 100_000
    server.breaks_after = None
    assert download(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={have}-"]
    assert not part.exists()


def test_a_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.honours_ranges = False
    (tmp_path / "data.bin.part").write_bytes(b"something else")
    assert download(remote(server), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert download(remote(server), tmp_path).read_bytes() == CONTENT


def test_wrong_content_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="does not have the expected content: its sha256 is"):
        download(remote(server, b"other"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_has_no_such_file(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match=r"does not answer as expected: HTTP status 404\."):
        download(remote(server), tmp_path)


def test_no_network(server: Server, tmp_path: Path) -> None:
    unreachable = Remote(name="a", url="http://127.0.0.1:1/a", algorithm="md5", digest="")
    with pytest.raises(
        DownloadError, match=r"does not answer as expected: there is no connection\."
    ):
        download(unreachable, tmp_path)
