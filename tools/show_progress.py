"""Run a command that says nothing for long: ``python -m tools.show_progress TEXT COMMAND ...``.

On a terminal a line with the text moves meanwhile, and what the command writes is shown only where
it fails. Nothing but Python is needed: this runs before anything is installed.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from service.monitoring.terminal import ProgressLine, is_terminal

_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    text, *command = arguments
    if not is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        print(text, flush=True)
        return subprocess.run(command, check=False).returncode
    line = ProgressLine(sys.stderr)
    with tempfile.TemporaryFile() as output:
        with (
            subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
            line.moving(text),
        ):
            try:
                code = process.wait()
            except KeyboardInterrupt:
                # The terminal has told the command as well; make says that it was interrupted.
                process.wait()
                return _INTERRUPTED
        if code:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
