"""What a person sees on a terminal while something takes time: a line that moves, and colours."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TextIO

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES = "|/-\\"
_FRAME_S = 0.1
# Back to the beginning of the line, and remove what stands there.
ERASE = "\r\x1b[K"

BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sees what is written to a stream."""
    try:
        return stream.isatty()
    except ValueError:  # It is closed.
        return False


def has_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour what is written to a stream (https://no-color.org)."""
    return is_terminal(stream) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def styled(text: str, *codes: str, colours: bool) -> str:
    """Return a text in colours, or as it is."""
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if colours else text


class ProgressLine:
    """The last line of a terminal: it names what is done, beside a moving sign.

    Args:
        stream: the terminal; its descriptor is duplicated, so that the line moves even where the
            stream itself is silenced.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = os.dup(stream.fileno())
        encoding = (stream.encoding or "").lower().replace("-", "")
        self._frames = _FRAMES if encoding == "utf8" else _PLAIN_FRAMES
        self._frame = 0
        self._drawn_at = -_FRAME_S
        self._has_ended = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def moving(self, text: str) -> Iterator[None]:
        """Show a text while the block runs; a thread moves it, which ends with the block."""
        done = threading.Event()

        def move() -> None:
            while not done.wait(_FRAME_S):
                self.draw(text)

        self.draw(text)
        thread = threading.Thread(target=move, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.erase()

    def draw(self, text: str) -> None:
        """Show a text with the next of the frames, ten times a second at most."""
        with self._lock:
            now = time.monotonic()
            if not self._has_ended and now - self._drawn_at >= _FRAME_S:
                self._drawn_at = now
                self._frame = (self._frame + 1) % len(self._frames)
                self._write(f"{ERASE}{self._frames[self._frame]} {text}")

    def erase(self) -> None:
        """Remove the line."""
        with self._lock:
            if not self._has_ended:
                self._write(ERASE)

    def end(self, text: str) -> None:
        """Leave a last line instead; for signal handlers, which may interrupt ``draw``."""
        held = self._lock.acquire(timeout=2 * _FRAME_S)
        try:
            if not self._has_ended:
                self._has_ended = True
                self._write(f"{ERASE}{text}\n")
        finally:
            if held:
                self._lock.release()

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # The terminal is gone.
            os.write(self._descriptor, text.encode())
