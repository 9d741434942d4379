"""Entry point of ``understudy`` and of ``python -m understudy``."""

import sys

_INTERRUPTED = 130


def run() -> int:
    """Run the command line, and say what it could not write."""
    try:
        # Only now: an interrupt while this is imported is one line as well.
        from understudy.failures import FAILED
        from understudy.output_streams import Streams

        streams = Streams()
        from understudy.cli import main

        code = main()
        problem = streams.problem()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return _INTERRUPTED
    if problem:
        sys.stderr.write(f"{problem}\n")
    return code or (FAILED if problem else 0)


if __name__ == "__main__":
    sys.exit(run())
