"""A service that is started and not waited for, so that it can be met at any moment."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import procfs
from tests.e2e.conftest import Service, free_port
from tests.service_process import start_gunicorn
from tests.waiting import eventually

# Positions in /proc/<pid>/stat after the name (proc(5)).
_STATE, _SESSION = 0, 3

StartUnattended = Callable[..., "Unattended"]


class Unattended:
    """A service that is not waited for; its processes are a session of their own."""

    def __init__(self, root: Path, models: Path, folder: Path, environment: dict[str, str]) -> None:
        """Start it.

        Args:
            root: the project's folder.
            models: the folder of models.
            folder: for its temporary files, and what it writes.
            environment: more variables.
        """
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.errors = folder / "err"
        port = free_port()
        self.process = start_gunicorn(
            root=root,
            stdout=folder / "out",
            stderr=self.errors,
            start_new_session=True,
            environment={
                "MODELS": str(models),
                "PORT": str(port),
                "UNDERSTUDY_WORKERS": "2",
                "UNDERSTUDY_POLL_INTERVAL_S": "0.2",
                "UNDERSTUDY_LAME_DUCK_S": "0.2",
                # Long before anybody is killed: that must not be what ends it.
                "UNDERSTUDY_DRAIN_S": "20",
                "TMPDIR": str(folder),
                **environment,
            },
        )
        self.service = Service(
            f"http://127.0.0.1:{port}", self.process, folder / "out", self.errors
        )

    def has_written(self, text: str) -> bool:
        """Whether ``text`` is in its log."""
        return text in self.errors.read_text()

    def said(self) -> str:
        """Return all that it has written."""
        return self.errors.read_text() + (self.folder / "out").read_text()

    def send(self, signum: int) -> None:
        """Send a signal as a terminal does (SIGINT, to all processes) or a supervisor."""
        if signum == signal.SIGINT:
            os.killpg(self.process.pid, signum)
        else:
            self.process.send_signal(signum)

    def end(self, signum: int) -> None:
        """Send a signal, and check that the service ends in order."""
        self.send(signum)
        self.check_end()

    def check_end(self) -> None:
        """Wait until the service has ended, and check that it did so in order."""
        assert self.process.wait(60) == 0, self.said()
        said = self.said()
        assert "Traceback" not in said, said
        assert "was sent SIG" not in said, said
        assert "exited with code" not in said, said
        assert sorted(each.name for each in self.folder.iterdir()) == ["err", "out"]
        # What has ended is there until the kernel is done with it.
        eventually(lambda: _living(self.process.pid) == [])

    def kill(self) -> None:
        """End all of its processes at once, if any is left."""
        # One that was started a moment ago may lead no session yet.
        self.process.kill()
        for pid in _living(self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def unattended(root: Path, models: Path, folder: Path) -> Iterator[StartUnattended]:
    """Return a function that starts a service, and leave none behind."""
    started: list[Unattended] = []

    def start(**environment: str) -> Unattended:
        started.append(Unattended(root, models, folder, environment))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def _living(session: int) -> list[int]:
    """Return the processes of a session, but for those that only their parent has not noticed."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = procfs.parse_stat((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[_SESSION] == str(session) and fields[_STATE] not in "ZX":
                found.append(int(entry.name))
    return found
