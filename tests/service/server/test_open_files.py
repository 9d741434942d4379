"""How many files a worker may have open."""

import contextlib
import resource

import pytest

from service.server import worker
from tests.service.server.conftest import StartServer
from tests.service.server.wire import ask


@pytest.mark.parametrize(
    ("bound", "soft", "most"), [(10_240, 256, 8192), (100, 256, 256), (1 << 20, 256, 65_536)]
)
def test_a_limit_is_raised_as_far_as_it_can_be(
    monkeypatch: pytest.MonkeyPatch, bound: int, soft: int, most: int
) -> None:
    """macOS says that there is no bound, and refuses more than its own."""

    def set_limits(what: int, limits: tuple[int, int]) -> None:
        if limits[0] > bound:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", set_limits)
    assert worker._most_files() == most


def test_clients_keep_their_connections_though_few_files_may_be_open(
    start_server: StartServer,
) -> None:
    server = start_server(under=("sh", "-c", 'ulimit -n 200 && exec "$@"', "sh"))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(40)]
        for client in [*clients, *clients]:
            ask(client, b"pid")
