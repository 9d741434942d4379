"""What the service uses of gunicorn without its documentation is there, as of gunicorn 27.0.

``service/server/worker.py``, ``full_http_protocol.py`` and ``grpc_listener.py`` say what for.
"""

import inspect
import re
from types import SimpleNamespace

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.asgi import protocol
from gunicorn.asgi.protocol import ASGIProtocol, BodyReceiver
from gunicorn.config import Config
from gunicorn.workers.base import Worker as BaseWorker
from gunicorn.workers.gasgi import ASGIWorker

from service.server import full_http_protocol


@pytest.mark.parametrize(
    "name", ["_get_ssl_context", "_serve", "handle_exit_signal", "handle_quit_signal", "run"]
)
def test_methods_of_the_worker(name: str) -> None:
    assert callable(getattr(ASGIWorker, name))


@pytest.mark.parametrize("name", ["init_process", "notify"])
def test_methods_of_every_worker(name: str) -> None:
    assert callable(getattr(BaseWorker, name))


def test_the_worker_runs_what_is_overridden() -> None:
    assert "self._serve()" in inspect.getsource(ASGIWorker.run)
    signals = inspect.getsource(ASGIWorker.init_signals)
    assert "self.handle_exit_signal" in signals
    assert "self.handle_quit_signal" in signals
    assigned = set(re.findall(r"self\.(\w+) = ", inspect.getsource(ASGIWorker)))
    assert {"loop", "nr_conns", "asgi"} <= assigned


@pytest.mark.parametrize(
    "name",
    [
        *("_arm_keepalive_timer", "_close_transport", "_safe_write", "_send_error_response"),
        *("_is_websocket_upgrade", "_send_response_start", "_will_close"),
    ],
)
def test_methods_of_the_protocol(name: str) -> None:
    assert callable(getattr(ASGIProtocol, name))


def test_attributes_of_the_protocol() -> None:
    worker = SimpleNamespace(cfg=Config(), log=None, asgi=None)
    connection = ASGIProtocol(worker)
    assert connection._closed is False
    assert connection._current_request is None
    assert connection._body_receiver is None
    receiver = BodyReceiver(None, connection)
    assert receiver._complete is False
    assert receiver._disconnected is False
    assert receiver._waiter is None
    assert not receiver._chunks
    assert callable(receiver._wait_for_data)
    assert "BodyReceiver(self._current_request, self)" in inspect.getsource(ASGIProtocol)


def test_each_status_has_its_words() -> None:
    assert full_http_protocol.protocol is protocol
    assert protocol._get_cached_status_line((1, 1), 421) == b"HTTP/1.1 421 Misdirected Request\r\n"


def test_the_master_hands_on_and_closes_what_listens() -> None:
    assert "self.cfg.when_ready(self)" in inspect.getsource(Arbiter.start)
    assert "self.LISTENERS" in inspect.getsource(Arbiter.spawn_worker)
    assert "self.LISTENERS" in inspect.getsource(Arbiter.reexec)
    assert "close_sockets(self.LISTENERS" in inspect.getsource(Arbiter.stop)
    assert "self.cfg.on_reload(self)" in inspect.getsource(Arbiter.reload)
