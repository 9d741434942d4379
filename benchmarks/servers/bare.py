"""A server that does nothing but spend processor time: ``python -m benchmarks.servers.bare PORT``.

A request for ``/N`` is answered with ``{}`` after a loop of N turns. It is what latency at a given
rate is measured beside: the tail that it has as well comes from the machine, not from the service.
"""

import asyncio
import sys
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length: "
_BACKLOG = 2048


class Bare(asyncio.Protocol):
    """One connection, whose requests are all alike; heads come whole."""

    def __init__(self) -> None:
        """A connection that has asked nothing yet."""
        self._turns = 0
        self._request_bytes = 0
        self._have = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer a request once it is whole."""
        if not self._request_bytes:
            head, end, _ = data.lower().partition(_END_OF_HEAD)
            _, _, length = head.partition(_LENGTH)
            self._turns = int(head.split(b" ", 2)[1][1:])
            self._request_bytes = len(head) + len(end) + int(length.split(b"\r\n")[0] or 0)
        self._have += len(data)
        if self._have >= self._request_bytes:
            self._have = 0
            for _ in range(self._turns):
                pass
            self._transport.write(_ANSWER)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Bare, "127.0.0.1", port, backlog=_BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
