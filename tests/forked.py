"""Python commands as processes of their own that need not import TensorFlow.

Importing takes most of the time in which a service starts. A fork server (``multiprocessing``) has
done it once, and each command is a fork of it: with its own arguments, environment, folder, output
and, if asked, session, as ``subprocess.Popen`` would start it.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_FORK_SERVER = multiprocessing.get_context("forkserver")
_FORK_SERVER.set_forkserver_preload(["tests.preloaded"])


class ForkedCommand:
    """A command that runs, with the methods of ``subprocess.Popen`` that tests use."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: Path,
        stderr: Path,
        start_new_session: bool = False,
    ) -> None:
        """Start it.

        Args:
            command: a Python script, and its arguments.
            cwd: the folder to run in.
            env: all of its environment.
            stdout: the file for its output.
            stderr: the file for its errors; may be the same.
            start_new_session: whether it leads a session of its own.
        """
        self._process = _FORK_SERVER.Process(
            target=_run,
            args=(list(command), cwd, dict(env), stdout, stderr, start_new_session),
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, the negative number of the signal that ended it, or ``None``."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return its exit code, or ``None`` while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after ``timeout`` seconds.
        """
        self._process.join(timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, signum: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _run(
    command: list[str],
    cwd: Path,
    env: dict[str, str],
    stdout: Path,
    stderr: Path,
    start_new_session: bool,
) -> None:
    """Run a script in the forked process, as if it were the process's own."""
    if start_new_session:
        os.setsid()
    for path, number in ((stdout, 1), (stderr, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    # Both were found out for the fork server.
    tempfile.tempdir = None
    script = str(command[0])
    sys.argv = [script, *command[1:]]
    sys.path[0] = str(Path(script).parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        atexit._run_exitfuncs()
