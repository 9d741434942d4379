"""Standard output and error that no training is lost to, whatever stands behind them.

A class, a file or an origin may be named in letters that a terminal cannot write; the reader of a
pipe may have seen enough, or the terminal be closed. None of it has to do with the work.
"""

import errno
import io
import os
import sys
from typing import TextIO

_OUTPUT, _ERRORS = 1, 2
# Errors of a pipe without a reader, and of a terminal that was closed.
_NOBODY_READS = (errno.EPIPE, errno.EIO)


class _Output(io.FileIO):
    """Bytes to a descriptor; those that it does not take are dropped.

    Attributes:
        lost: the error, where output is missing in a file: the disk of a log is full, say.
    """

    lost: OSError | None = None

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            # A disk says EIO as well, and then what was written is missed.
            if error.errno not in _NOBODY_READS or self.seekable():
                self.lost = error
            return memoryview(data).nbytes


class Streams:
    """Both streams: they write what they can, and drop output that nothing reads.

    Characters that a stream's encoding lacks are written as ``\\xe9``.

    They take the place of ``sys.stdout`` and ``sys.stderr`` when this is made. A stream that was
    closed before this process began leads nowhere.
    """

    def __init__(self) -> None:
        for descriptor in (_OUTPUT, _ERRORS):
            _occupy(descriptor)
        self._output = _Output(_OUTPUT, "wb", closefd=False)
        sys.stdout = _forgiving(sys.stdout, self._output)
        sys.stderr = _forgiving(sys.stderr, _Output(_ERRORS, "wb", closefd=False))

    def problem(self) -> str:
        """Write what is left, and return why some of the output is missing; else nothing."""
        sys.stdout.flush()
        lost = self._output.lost
        return "" if lost is None else f"Some of the output could not be written: {lost.strerror}."


def _forgiving(stream: TextIO | None, output: _Output) -> TextIO:
    encoding, by_line = "utf-8", True
    if stream is not None:
        stream.flush()
        encoding, by_line = stream.encoding, bool(stream.line_buffering)
    return io.TextIOWrapper(
        io.BufferedWriter(output),  # type: ignore[type-var]
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=by_line,
    )


def _occupy(descriptor: int) -> None:
    """Let a descriptor that was closed lead nowhere.

    Otherwise a file that is opened later gets its number, and what libraries print.
    """
    try:
        os.fstat(descriptor)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
