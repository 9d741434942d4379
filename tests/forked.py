"""Python commands as processes of their own that need not import TensorFlow.

Importing takes most of the time in which a service or a training starts. A fork server
(``multiprocessing``) has done it once, and each command is a fork of it: with its own arguments,
environment, folder, output and, if asked, session, as ``subprocess.Popen`` would start it.
"""

import atexit
import contextlib
import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock


class ForkServer:
    """A process that has imported a module, and from which commands are forked."""

    def __init__(self, preloaded: str) -> None:
        """A fork server that starts when its first command does.

        Args:
            preloaded: the module that it imports.
        """
        self._server = forkserver.ForkServer()
        self._server.set_forkserver_preload([preloaded])

    @contextlib.contextmanager
    def forking(self) -> Iterator[None]:
        """Have processes of the "forkserver" context start as forks of this server meanwhile."""
        # The context knows one server; Keras must not come into services, which do without it.
        connect = self._server.connect_to_new_process
        with mock.patch.object(forkserver, "connect_to_new_process", connect):
            yield

    def start(self, process: BaseProcess) -> None:
        """Start a process of the "forkserver" context as a fork of this server."""
        with self.forking():
            process.start()


SERVICE = ForkServer("tests.preloaded.service")
TRAINING = ForkServer("tests.preloaded.training")


class ForkedCommand:
    """A command that runs, with the methods of ``subprocess.Popen`` that tests use."""

    def __init__(
        self,
        server: ForkServer,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: Path,
        stderr: Path,
        start_new_session: bool = False,
        first: str | None = None,
    ) -> None:
        """Start it.

        Args:
            server: what it is forked from.
            command: the path of a Python script, or "-m" and a module, or "-c" and a program; then
                its arguments.
            cwd: the folder to run in.
            env: all of its environment.
            stdout: the file for its output.
            stderr: the file for its errors; may be the same.
            start_new_session: whether it leads a session of its own.
            first: a module that it imports before all else.
        """
        for path in (stdout, stderr):
            path.touch()
        self._process: BaseProcess = multiprocessing.get_context("forkserver").Process(
            target=_run,
            args=(list(command), cwd, dict(env), stdout, stderr, start_new_session, first),
        )
        server.start(self._process)
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


class WaitingFork(ForkedCommand):
    """A fork, and child, of this very process that waits to be given its command.

    It has nothing of what is opened after it began: SQLite would take its parent's locks for its own.
    """

    def __init__(self) -> None:
        receiver, self._sender = multiprocessing.Pipe(duplex=False)
        self._process = multiprocessing.get_context("fork").Process(
            target=_run_what_comes, args=(receiver, self._sender)
        )
        self._process.start()
        receiver.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def run(self, command: Sequence[str], *, output: Path, start_new_session: bool) -> None:
        """Let it run a command, in this process's folder and environment.

        Args:
            command: as ``ForkedCommand`` takes it.
            output: the file for its output and its errors, which is there.
            start_new_session: whether it leads a session of its own.
        """
        self._sender.send(
            (list(command), Path.cwd(), dict(os.environ), output, output, start_new_session, None)
        )


def _run_what_comes(receiver: Connection, sender: Connection) -> None:
    sender.close()
    with contextlib.suppress(EOFError):  # nothing was to be run
        _run(*receiver.recv())


def _run(
    command: list[str],
    cwd: Path,
    env: dict[str, str],
    stdout: Path,
    stderr: Path,
    start_new_session: bool,
    first: str | None,
) -> None:
    """Run a script in the forked process, as if it were the process's own."""
    if start_new_session:
        os.setsid()
    for path, number in ((stdout, 1), (stderr, 2)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    # The fork server has found its own.
    tempfile.tempdir = None
    if first is not None:
        importlib.import_module(first)
    try:
        match command:
            case ["-c", program, *arguments]:
                sys.argv = ["-c", *arguments]
                exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
            case ["-m", module, *arguments]:
                sys.argv = [module, *arguments]
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            case [script, *arguments]:
                sys.argv = [script, *arguments]
                sys.path[0] = str(Path(script).parent)
                runpy.run_path(script, run_name="__main__")
    finally:
        atexit._run_exitfuncs()
