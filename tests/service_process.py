"""gunicorn as a process: with the service, or with a small application."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.forked import SERVICE, ForkedCommand

# The variable that names the file of ``tests/e2e/faults``.
FAULTS = "FAULTS"
_FAULTS_MODULE = "tests.e2e.faults.sitecustomize"

CONFIGURATION = ("-c", "service/server/gunicorn.conf.py")

ServiceProcess = ForkedCommand | subprocess.Popen[bytes]


def start_gunicorn(
    *arguments: str,
    root: Path,
    environment: Mapping[str, str],
    stdout: Path,
    stderr: Path,
    under: Sequence[str] = (),
    start_new_session: bool = False,
) -> ServiceProcess:
    """Start gunicorn, forked from a process that has imported TensorFlow wherever that shows nothing.

    Args:
        arguments: of gunicorn; without any, the service's configuration.
        root: the project's folder, in which it runs.
        environment: variables beside this process's own.
        stdout: the file for its output.
        stderr: the file for its errors.
        under: a command that runs the command after it, such as ``setpriv`` with its options.
        start_new_session: whether it leads a session of its own.
    """
    script = Path(sys.executable).with_name("gunicorn")
    command = [*under, str(script), *(arguments or CONFIGURATION)]
    # Python reads it when it starts. A fork shows nothing in /proc of its environment: a test of
    # that runs the service under ``env``.
    if under or "PYTHONPATH" in environment:
        with stdout.open("ab") as out, stderr.open("ab") as err:
            return subprocess.Popen(
                command,
                cwd=root,
                env={**os.environ, **environment},
                stdout=out,
                stderr=err,
                start_new_session=start_new_session,
            )
    return ForkedCommand(
        SERVICE,
        command,
        cwd=root,
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=stderr,
        start_new_session=start_new_session,
        # As Python itself does where PYTHONPATH names the folder.
        first=_FAULTS_MODULE if FAULTS in environment else None,
    )
