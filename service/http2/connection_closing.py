"""How long a connection is kept, and how its client is asked to use another one."""

import random
from collections.abc import Callable
from enum import Enum

from service.http2.errors import ErrorCode
from service.http2.frames import LAST_STREAM, PING, frame, goaway_frame

# A connection stays with one worker, so none stays for ever; requests under way are answered. Not
# all that were made in one moment go in one moment.
_AGE_S, _AGE_SPREAD = 30.0, 0.1
# When a client that has been silent is asked whether it is there, and how long it may take.
_SILENCE_S, _SILENCE_TIMEOUT_S = 60.0, 20.0
# How long a client may take to say that it knows that it is to go.
_WARNING_S = 5.0
_ARE_YOU_THERE, _YOU_ARE_TO_GO = b"are-you?", b"you-know"


class _Stage(Enum):
    STAYS = 0
    # A first GOAWAY was sent: requests that the client sends before it arrives are answered.
    WARNED = 1
    # The final GOAWAY was sent: it names the last request that is answered.
    GOES = 2


class ConnectionClosing:
    """When one connection is closed, by its age or the silence of its client."""

    def __init__(self, now: float, write: Callable[[bytes], None]) -> None:
        """A connection that has just been made.

        Args:
            now: the loop's time.
            write: sends frames.
        """
        self._write = write
        self._stage = _Stage.STAYS
        self._old_at = now + _AGE_S * random.uniform(1 - _AGE_SPREAD, 1 + _AGE_SPREAD)
        self._warned_at = now
        self._heard_at = now
        self._asked_at: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether requests that begin now are not answered."""
        return self._stage is _Stage.GOES

    def hear(self, now: float) -> None:
        """Note that the client has sent something."""
        self._heard_at = now
        self._asked_at = None

    def hear_answer(self, payload: bytes, last_stream: int) -> None:
        """Note that a ping was answered."""
        if payload == _YOU_ARE_TO_GO and self._stage is _Stage.WARNED:
            self.go(last_stream)

    def warn(self, now: float) -> None:
        """Ask the client to make another connection (RFC 9113, section 6.8)."""
        if self._stage is _Stage.STAYS:
            self._stage = _Stage.WARNED
            self._warned_at = now
            self._write(
                goaway_frame(LAST_STREAM, ErrorCode.NO_ERROR) + frame(PING, 0, 0, _YOU_ARE_TO_GO)
            )

    def go(self, last_stream: int, code: ErrorCode = ErrorCode.NO_ERROR, message: str = "") -> None:
        """Say that no stream after ``last_stream`` is answered, and why."""
        if self._stage is not _Stage.GOES or code is not ErrorCode.NO_ERROR:
            self._stage = _Stage.GOES
            self._write(goaway_frame(last_stream, code, message))

    def check(self, now: float, last_stream: int) -> bool:
        """Send the GOAWAY or PING that is due; return whether the client still responds.

        Args:
            now: the loop's time.
            last_stream: the last that the client began.
        """
        if self._stage is _Stage.WARNED and now - self._warned_at > _WARNING_S:
            self.go(last_stream)
        elif now > self._old_at:
            self.warn(now)
        if self._asked_at is not None:
            return now - self._asked_at <= _SILENCE_TIMEOUT_S
        if now - self._heard_at > _SILENCE_S:
            self._asked_at = now
            self._write(frame(PING, 0, 0, _ARE_YOU_THERE))
        return True
