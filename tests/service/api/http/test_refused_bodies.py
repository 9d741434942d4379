"""A refused request leaves nothing behind: its body is freed when it is answered, not by a collector."""

import base64
import gc
import gzip
import io
import logging
import time
import tracemalloc
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from service.errors import DeadlineError, ServiceError
from service.runtime.tensor_binding import TensorBinding
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.plain import publish_plain_bodies
from tests.savedmodels.shapes import save_shapes
from tests.service.api.plain_bodies import SMALL
from tests.service.conftest import served

_SIZE = 400_000
_MOST = 800_000
_ROWS = 100

_PREDICT = "/v1/models/affine:predict"
_INFER = "/v2/models/affine/infer"
_REGRESS = "/v1/models/affine:regress"


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_plain_bodies(root)
    save_shapes(root / "shapes" / "1")
    (root / "broken" / "1").mkdir(parents=True)
    with served(
        root, request.param, max_body_bytes=_MOST, max_rows=_ROWS, max_image_pixels=10_000
    ) as client:
        # What the thread that watches the store allocates meanwhile is no request's.
        lifecycle = client.application.extensions["lifecycle"]
        lifecycle._stop.set()
        lifecycle._wake.set()
        lifecycle._thread.join()
        yield client


def _rows(*, x: str = "[1, 2]", count: int = _ROWS) -> bytes:
    row = f'{{"x": {x},{" " * (_SIZE // count)} "text": "quiet", "shift": 0}}'
    return f'{{"instances": [{", ".join([row] * count)}]}}'.encode()


def _v2(shape: list[int], data: str, *, kind: str = "FP32") -> bytes:
    head = (
        f'{{"inputs": [{{"name": "x", "shape": {shape}, "datatype": "{kind}", "data": {data}}}]}}'
    )
    return head.encode()


def _v2_binary(*, told: int) -> dict[str, Any]:
    values = bytes(_SIZE)
    head = orjson.dumps(
        {
            "inputs": [
                {
                    "name": "x",
                    "shape": [_ROWS, 2],
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": told},
                }
            ]
        }
    )
    return {
        "path": _INFER,
        "data": head + values,
        "headers": {"Inference-Header-Content-Length": str(len(head))},
    }


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


_REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "no JSON": (400, {"data": b'{"instances": [' + b"1, " * (_SIZE // 3)}),
    "not UTF-8": (400, {"data": b'{"instances": ["' + b"\xff" * _SIZE + b'"]}'}),
    "nested": (400, {"data": b"[" * _SIZE}),
    "wrong value": (400, {"data": _rows(x='["one", 2]')}),
    "wrong shape": (400, {"data": _rows(x="[1, 2, 3]")}),
    "no such input": (400, {"data": _rows().replace(b'"shift"', b'"shaft"')}),
    "out of range": (400, {"data": _rows(x="[1e9, 2]")}),
    "too many rows": (400, {"data": _rows(count=_ROWS + 1)}),
    "no such signature": (400, {"data": b'{"signature_name": "none", ' + _rows()[1:]}),
    "envelope": (400, {"data": b'{"rows": "' + b"x" * _SIZE + b'"}'}),
    "columns": (400, {"data": b'{"inputs": {"x": ' + b"[[1, 2]]" + b', "text": ["' + b"t" * _SIZE + b'"]}}'}),
    "classify": (400, {"path": "/v1/models/affine:classify", "data": _rows()}),
    "media type": (415, {"data": bytes(_SIZE), "content_type": "application/zip"}),
    "bad image": (400, {"path": "/v1/models/album:predict", "data": b"\x89PNG\r\n\x1a\n" + bytes(_SIZE), "content_type": "image/png"}),
    "csv": (400, {"path": "/v1/models/cars:predict", "data": b"a,b\n" + b"1,2\n" * (_SIZE // 4), "content_type": "text/csv"}),
    "npy": (400, {"data": _npy(np.zeros(_SIZE // 8)), "content_type": "application/x-npy"}),
    "text": (400, {"path": "/v1/models/echo:predict", "data": b"\xff" * _SIZE, "content_type": "text/plain"}),
    "no gzip": (400, {"data": bytes(_SIZE), "headers": {"Content-Encoding": "gzip"}}),
    "half a gzip": (400, {"data": gzip.compress(np.random.default_rng(0).bytes(_SIZE))[:-9], "headers": {"Content-Encoding": "gzip"}}),
    "gzip of no JSON": (400, {"data": gzip.compress(b"[1, " * (_SIZE // 4)), "headers": {"Content-Encoding": "gzip"}}),
    "gzip too large": (413, {"data": gzip.compress(bytes(_MOST + 1)), "headers": {"Content-Encoding": "gzip"}}),
    "packed otherwise": (415, {"data": bytes(_SIZE), "headers": {"Content-Encoding": "br"}}),
    "too large": (413, {"data": bytes(_MOST + 1)}),
    "ends early": (400, {"data": bytes(_SIZE), "headers": {"Content-Length": str(_SIZE + 1)}}),
    "unknown model": (404, {"path": "/v1/models/none:predict", "data": bytes(_SIZE)}),
    "unknown version": (404, {"path": "/v1/models/affine/versions/9:predict", "data": bytes(_SIZE)}),
    "unknown path": (404, {"path": "/v1/none", "data": bytes(_SIZE)}),
    "method": (405, {"path": "/v1/models", "data": bytes(_SIZE)}),
    "no version": (503, {"path": "/v1/models/broken:predict", "data": _rows()}),
    "late": (504, {"data": _rows(), "headers": {"X-Request-Timeout-Ms": "0.001"}}),
    "no time": (400, {"data": _rows(), "headers": {"X-Request-Timeout-Ms": "soon"}}),
    "v2: no JSON": (400, {"path": _INFER, "data": b"[1, " * (_SIZE // 4)}),
    "v2: wrong data": (400, {"path": _INFER, "data": _v2([_ROWS, 2], '["' + "x" * _SIZE + '"]')}),
    "v2: wrong datatype": (400, {"path": _INFER, "data": _v2([1, 2], "[" + "1, " * (_SIZE // 3) + "1]", kind="BYTES")}),
    "v2: binary": (400, _v2_binary(told=_SIZE)),
    "v2: binary ends early": (400, _v2_binary(told=_SIZE + 1)),
    "v2: raw": (400, {"path": _INFER, "data": bytes(_SIZE), "content_type": "application/octet-stream"}),
    "v2: unknown model": (404, {"path": "/v2/models/none/infer", "data": bytes(_SIZE)}),
}  # fmt: skip


def _send(client: FlaskClient, asked: dict[str, Any]) -> int:
    builder = EnvironBuilder(
        **{"method": "POST", "path": _PREDICT, "content_type": "application/json", **asked}
    )
    environ = builder.get_environ()
    builder.close()
    # As gunicorn says; without it, a body needs a length.
    environ["wsgi.input_terminated"] = True
    answer, status, _ = run_wsgi_app(client.application.wsgi_app, environ, buffered=True)
    assert b"".join(answer)
    return int(status.split()[0])


@pytest.fixture(scope="module", autouse=True)
def _frozen_again() -> Iterator[None]:
    """Leave objects as tests/conftest.py has them: the tests here make them collectable."""
    yield
    gc.collect()
    gc.freeze()


def _check_that_nothing_is_left(client: FlaskClient, asked: dict[str, Any], status: int) -> None:
    # pytest keeps the records of failures, and with them their tracebacks.
    logging.disable()
    # Once before: caches, and what is imported at its first use.
    assert _send(client, asked) == status
    gc.disable()
    # What is there already is not looked through; TensorFlow alone would take seconds.
    gc.freeze()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(2):
            _send(client, asked)
        after, peak = tracemalloc.get_traced_memory()
        # On the loop the last steps of a request follow its answer.
        deadline = time.monotonic() + 10
        while after - before > _SIZE // 10 and time.monotonic() < deadline:
            time.sleep(0.005)
            after, _ = tracemalloc.get_traced_memory()
        assert peak - before > 3_000  # It did measure.
        assert after - before < _SIZE // 10, f"{after - before} bytes are left"
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kept = [
            item
            for item in gc.garbage
            if isinstance(item, BaseException | TracebackType | FrameType | np.ndarray)
        ]
        assert kept == []
    finally:
        tracemalloc.stop()
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", _REFUSED)
def test_the_body_of_a_refused_request_is_freed_at_once(client: FlaskClient, name: str) -> None:
    status, asked = _REFUSED[name]
    _check_that_nothing_is_left(client, asked, status)


@pytest.mark.parametrize("path", [_PREDICT, _REGRESS, _INFER])
@pytest.mark.parametrize(
    ("error", "status"),
    [(ServiceError("The model failed."), 500), (DeadlineError(), 504), (MemoryError(), 500)],
    ids=["model", "deadline", "unforeseen"],
)
def test_the_body_of_a_request_that_failed_is_freed_at_once(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    error: Exception,
    status: int,
) -> None:
    kind = type(error)
    arguments = error.args

    def fail(self: TensorBinding, inputs: Any) -> None:
        cause = RuntimeError("as asked")
        raise (kind(*arguments) if kind is not DeadlineError else kind()) from cause

    monkeypatch.setattr(TensorBinding, "arguments", fail)
    asked = {"path": path, "data": _rows()}
    if path == _INFER:
        asked["data"] = (
            orjson.dumps(
                {
                    "inputs": [
                        {
                            "name": "x",
                            "shape": [_ROWS, 2],
                            "datatype": "FP32",
                            "data": [1.5] * _ROWS * 2,
                        },
                        {
                            "name": "text",
                            "shape": [_ROWS],
                            "datatype": "BYTES",
                            "data": ["quiet"] * _ROWS,
                        },
                        {
                            "name": "shift",
                            "shape": [_ROWS],
                            "datatype": "FP32",
                            "data": [1.5] * _ROWS,
                        },
                    ]
                }
            )
            + b" " * _SIZE
        )
    if path == _REGRESS:
        asked["data"] = (
            orjson.dumps({"examples": [{"x": [1.5, 2.5]}] * _ROWS, "signature_name": "only_y"})
            + b" " * _SIZE
        )
    _check_that_nothing_is_left(client, asked, status)


def test_rows_that_the_graph_refuses_leave_nothing(client: FlaskClient) -> None:
    good = base64.b64encode(SMALL).decode()
    rows = [{"b64": "iVBORw0KGgo="}, *[{"b64": good}] * 8, {"b64": "iVBORw0KGgo="}]
    body = orjson.dumps({"signature_name": "decode", "instances": rows}) + b" " * _SIZE
    _check_that_nothing_is_left(client, {"path": "/v1/models/shapes:predict", "data": body}, 400)
