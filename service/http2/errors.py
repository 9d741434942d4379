"""What ends a connection, or one stream of it."""

from enum import IntEnum


class ErrorCode(IntEnum):
    """Reasons that both sides understand (RFC 9113, section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Http2Error(Exception):
    """The peer broke the protocol, and the connection ends.

    Attributes:
        code: the error code that is sent to the peer (RFC 9113, section 7).
        message: one sentence for a person.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StreamError(Exception):
    """One stream ends by a reset.

    Attributes:
        code: the error code that is sent to the peer (RFC 9113, section 7).
    """

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code
