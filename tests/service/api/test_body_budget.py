"""The bytes of large bodies under way are bounded for a worker as a whole."""

import gzip
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from service.api.body import read_body
from service.api.budget import UNCOUNTED_BYTES, BodyBudget
from service.api.exchange import Exchange
from service.errors import ServiceError, UnavailableError
from tests.savedmodels.affine import publish_affine
from tests.service.conftest import MakeApp

_BOUND = 1_000_000


def _exchange(budget: BodyBudget, body: Any, **headers: str) -> Exchange:
    told = {"CONTENT_LENGTH": str(len(body))} if isinstance(body, bytes) else {}
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    environ: Any = {"wsgi.input": stream, "wsgi.input_terminated": True, **told, **headers}
    return Exchange(environ, "id", budget)


def test_what_is_beyond_the_free_part_is_held() -> None:
    budget = BodyBudget(_BOUND)
    exchange = _exchange(budget, bytes(700_000))
    assert read_body(exchange, most=_BOUND) == bytes(700_000)
    assert budget.held == exchange.body_bytes == 700_000 - UNCOUNTED_BYTES


def test_what_does_not_fit_is_refused_before_it_is_read() -> None:
    budget = BodyBudget(_BOUND)
    read_body(_exchange(budget, bytes(900_000)), most=2 * _BOUND)
    second = _exchange(budget, bytes(900_000))
    with pytest.raises(UnavailableError) as refused:
        read_body(second, most=2 * _BOUND)
    assert refused.value.headers["Retry-After"] == "1"
    assert second.environ["wsgi.input"].tell() < 600_000
    # A small one always fits.
    assert read_body(_exchange(budget, bytes(UNCOUNTED_BYTES)), most=_BOUND)


def test_chunks_are_counted_as_they_come() -> None:
    budget = BodyBudget(_BOUND)
    exchange = _exchange(budget, io.BytesIO(bytes(_BOUND * 2)))
    with pytest.raises(UnavailableError):
        read_body(exchange, most=_BOUND * 4)
    assert budget.held == exchange.body_bytes <= _BOUND


def test_chunks_beyond_the_limit_are_not_read_to_their_end() -> None:
    exchange = _exchange(BodyBudget(_BOUND), io.BytesIO(bytes(_BOUND)))
    with pytest.raises(ServiceError) as refused:
        read_body(exchange, most=100_000)
    assert refused.value.status == 413
    assert exchange.environ["wsgi.input"].tell() == 100_001


def test_what_a_packed_body_becomes_is_counted() -> None:
    budget = BodyBudget(_BOUND)
    packed = gzip.compress(bytes(900_000))
    exchange = _exchange(budget, packed, HTTP_CONTENT_ENCODING="gzip")
    assert read_body(exchange, most=_BOUND) == bytes(900_000)
    assert budget.held == 900_000 - UNCOUNTED_BYTES
    with pytest.raises(UnavailableError):
        read_body(_exchange(budget, packed, HTTP_CONTENT_ENCODING="gzip"), most=_BOUND)


class _Gate:
    """A body that comes only when it is let."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.asked = threading.Event()
        self.go = threading.Event()

    def read(self, count: int) -> bytes:
        if self.left <= 500_000:
            self.asked.set()
            assert self.go.wait(60)
        part = min(count, self.left)
        self.left -= part
        return bytes(part)


@pytest.mark.parametrize("path", ["/v1/models/affine:predict", "/v2/models/affine/infer"])
def test_a_worker_full_of_bodies_refuses_large_ones_and_answers_small_ones(
    make_app: MakeApp, tmp_path: Path, path: str
) -> None:
    publish_affine(tmp_path / "models")
    app = make_app(max_bodies_bytes=_BOUND)

    def send(body: Any, size: int, target: str = path) -> tuple[int, bytes]:
        builder = EnvironBuilder(method="POST", path=target, content_type="application/json")
        environ = builder.get_environ()
        environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(size), "wsgi.input_terminated": True}
        answer, status, _ = run_wsgi_app(app.wsgi_app, environ, buffered=True)
        return int(status.split()[0]), b"".join(answer)

    large = b" " * 900_000
    small = b'{"instances": [{"x": [1, 2], "text": "quiet", "shift": 0}]}'
    gate = _Gate(900_000)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, gate, 900_000)
        assert gate.asked.wait(60)
        status, body = send(io.BytesIO(large * 2), 1_800_000)
        assert (status, b'"UNAVAILABLE"' in body) == (503, True)
        assert send(io.BytesIO(small), len(small), "/v1/models/affine:predict")[0] == 200
        gate.go.set()
        assert first.result(60)[0] == 400
    # All has been given back, by the refused ones too.
    assert send(io.BytesIO(large), len(large))[0] == 400
    assert send(io.BytesIO(large), len(large))[0] == 400
