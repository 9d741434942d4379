"""Entry point of ``python -m training``."""

import sys

from training.console.library_errors import missing_package
from understudy.output_streams import Streams

_FAILED, _INTERRUPTED = 1, 130


def run() -> int:
    """Run the command line, and say what it could not write."""
    try:
        streams = Streams()
        code = _run()
        problem = streams.problem()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return _INTERRUPTED
    if problem:
        sys.stderr.write(f"{problem}\n")
    return code or (_FAILED if problem else 0)


def _run() -> int:
    """Run the command line; what it imports may be missing."""
    try:
        from understudy.cli import main

        return main()
    except ImportError as error:
        sentence = missing_package(error)
        if sentence is None:
            raise
        sys.stderr.write(f"{sentence}\n")
        return _FAILED


if __name__ == "__main__":
    sys.exit(run())
