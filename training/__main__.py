"""Entry point of ``python -m training``."""

import sys

from training.foreign import missing_package

_FAILED, _INTERRUPTED = 1, 130


def run() -> int:
    """Run the command line; what it imports may be missing, and Ctrl-C may come meanwhile."""
    try:
        from training.cli import main

        return main()
    except ImportError as error:
        sentence = missing_package(error)
        if sentence is None:
            raise
        sys.stderr.write(f"{sentence}\n")
        return _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(run())
