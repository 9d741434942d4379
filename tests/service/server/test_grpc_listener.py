"""The listener for gRPC, which gunicorn's master has among its others."""

import logging
import socket
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from service.server.grpc_listener import is_grpc_listener, listen_for_grpc
from service.settings.settings import Settings
from tests.e2e.conftest import free_port


def master() -> SimpleNamespace:
    return SimpleNamespace(LISTENERS=[], cfg=Config(), log=logging.getLogger())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_the_master_listens_once(host: str) -> None:
    gunicorn, settings = master(), Settings(host=host, grpc_port=free_port())
    for _ in range(2):
        listen_for_grpc(gunicorn, settings)
    (listener,) = gunicorn.LISTENERS
    assert is_grpc_listener(listener.sock, settings)
    with socket.create_connection((host, settings.grpc_port)), listener.accept()[0]:
        assert not is_grpc_listener(listener.sock, Settings(grpc_port=1))
    listener.close()


def test_without_a_port_there_is_none() -> None:
    gunicorn = master()
    listen_for_grpc(gunicorn, Settings(grpc_port=0))
    assert gunicorn.LISTENERS == []
