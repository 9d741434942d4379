"""Entry point of ``understudy`` and of ``python -m understudy``."""

import sys

from understudy.failures import FAILED, INTERRUPTED
from understudy.output_streams import Streams


def run() -> int:
    """Run the command line, and say what it could not write."""
    try:
        streams = Streams()
        # Only now: an interrupt while this is imported is one line as well.
        from understudy.cli import main

        code = main()
        problem = streams.problem()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return INTERRUPTED
    if problem:
        sys.stderr.write(f"{problem}\n")
    return code or (FAILED if problem else 0)


if __name__ == "__main__":
    sys.exit(run())
