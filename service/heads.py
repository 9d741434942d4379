"""A request's head as it comes, in pieces, so that no thread waits for one.

gunicorn's parser reads from the socket until it has a head; here what has come is put before it
first, and it is called when it will not have to wait.
"""

import os
from enum import Enum, auto

from gunicorn.http.unreader import Unreader

from service.client_socket import ClientSocket

# The line that ends a head is empty.
_END = b"\r\n\r\n"
# Far more than any client sends; more than the usual proxies let pass.
_MOST_BYTES = 64 * 1024


class Head(Enum):
    """How much of a head has come."""

    NOTHING = auto()
    PART = auto()
    # Whole, or so wrong already that the parser refuses it without the rest.
    WHOLE = auto()
    TOO_LARGE = auto()
    # The client has closed its side, or is gone.
    END = auto()


def read_head(client: ClientSocket, unreader: Unreader, longest_line: int, wait: bool) -> Head:
    """Take in what has come of the next head, and put it before the parser.

    Args:
        client: the connection.
        unreader: what the connection's parser reads from; what it holds already comes first.
        longest_line: the most bytes of a request's first line.
        wait: whether to wait some milliseconds, if there is nothing.
    """
    held: bytes = unreader.buf.getvalue()
    if _END not in held:
        data = client.next_bytes(wait)
        if data is None:
            return _judge(held, longest_line)
        if not data:
            return Head.END
        unreader.buf.seek(0, os.SEEK_END)
        unreader.buf.write(data)
        held += data
    client.begin_request()
    return Head.WHOLE if _END in held else _judge(held, longest_line)


def _judge(held: bytes, longest_line: int) -> Head:
    """Say what a head without an end is."""
    if not held:
        return Head.NOTHING
    if len(held) > _MOST_BYTES:
        return Head.TOO_LARGE
    is_long = len(held) > longest_line + 2 and b"\r\n" not in held
    # Each line ends with CR and LF (RFC 9112, section 2.2).
    is_wrong = held.count(b"\n") != held.count(b"\r\n")
    return Head.WHOLE if is_long or is_wrong else Head.PART
