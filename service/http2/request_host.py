"""What connections need of who answers their requests."""

import asyncio
from collections.abc import Iterator
from typing import Any, Protocol

from service.http2.header_table import Field
from service.http2.stream import Receiver, Stream


class ConnectionRegister(Protocol):
    """Holds the connections of a worker."""

    def add(self, connection: Any) -> None:
        """Hold a connection that has been made."""

    def remove(self, connection: Any) -> None:
        """Forget one that has ended."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over those that are held."""


class RequestHost(Protocol):
    """What connections need of who answers their requests.

    Attributes:
        loop: the event loop that all connections share.
        register: holds them.
        read_timeout_s: seconds to send what must come whole in, or to take an answer.
        stream_window: how many bytes a client may send of one stream before they are used.
    """

    loop: asyncio.AbstractEventLoop
    register: ConnectionRegister
    read_timeout_s: float
    stream_window: int

    def read_head(self, fields: list[Field] | None) -> Any:
        """Return what a request's fields mean; they are ``None`` where there were too many.

        Raises:
            StreamError: they are not those of a request.
        """

    def open(self, stream: Stream, head: Any) -> Receiver:
        """Begin a request; return what takes the rest of it."""
