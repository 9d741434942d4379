"""Which workers of one service live, and the folder that they share.

A lock on a file shows that its owner lives, since the kernel drops it however the owner ends; so a
worker that was killed is never waited for. One that lives but does not show itself for some
seconds (it is stopped, or stuck) is not waited for either.
"""

import contextlib
import fcntl
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from service.repository.atomic_files import write_atomically

# A worker that has not shown itself for as long is not waited for.
SILENT_S = 10.0
# Nothing is decided for as long after the folder had to be made anew: others are yet to find it.
_REGROUP_S = 3.0
# A lock is held for less than a millisecond, unless its owner was stopped just then.
_LOCK_WAIT_S = 5.0
_LOCK_STEP_S = 0.002

_REMADE = "remade"


class WorkerMembers:
    """The members of a group of workers, and their shared files. One object a worker.

    Attributes:
        name: this worker's name in the group.
        joined: how often this worker has joined; more than once when the folder had vanished.
    """

    def __init__(self, folder: Path | None, *, silent_s: float = SILENT_S) -> None:
        """The group of ``folder``; without one, the worker is alone.

        Nothing is read or written before ``join``.

        Args:
            folder: the folder; it is made when it is not there.
            silent_s: seconds after which a worker that does not show itself is not waited for.
        """
        self._folder = folder
        self._silent_s = silent_s
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._presence = -1
        self._shown_at = math.inf
        self._was_late = False
        self.name = ""
        self.joined = 0

    def join(self) -> None:
        """Become a member: from now on nothing is decided without this worker."""
        if self._folder is None:
            # A thread that ends later, such as a rollout's, may write into it while it is removed.
            self._own = tempfile.TemporaryDirectory(
                prefix="understudy-workers-", ignore_cleanup_errors=True
            )
            self._folder = Path(self._own.name)
        self.name = f"{os.getpid()}-{uuid4().hex[:8]}"
        self._enter()

    @property
    def is_silent(self) -> bool:
        """Whether the others may have decided without this worker, by when it showed itself.

        After a beat that came too late it is so until the next one: between the two its owner asks
        what was decided, and another thread may not take it for one that knows.
        """
        return self._was_late or time.monotonic() - self._shown_at > self._silent_s

    def beat(self) -> bool:
        """Show that this worker takes part; to be called every second or so.

        Where the folder has vanished (temporary files are cleaned up) it is made anew.

        Returns:
            Whether it shows itself in time: the others have decided nothing without it.
        """
        if not self.joined:
            return True
        self._was_late = False
        self._show_again()
        return not self._was_late

    def _show_again(self) -> None:
        if self._presence >= 0 and os.fstat(self._presence).st_nlink == 0:
            os.close(self._presence)
            self._presence = -1
        if self._presence >= 0:
            self._show()
            return
        self._files.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), (self.folder / _REMADE).open("x") as file:
            file.write(str(time.monotonic()))
        self._enter()

    def leave(self) -> None:
        """Stop being a member; the others decide without this worker."""
        if self._presence >= 0:
            os.close(self._presence)
            self._presence = -1
        self._shown_at, self._was_late = math.inf, False
        self.joined = 0
        if self._own is not None:
            self._own.cleanup()
            self._own = self._folder = None

    @property
    def folder(self) -> Path:
        """The folder that the members share."""
        if self._folder is None:
            raise RuntimeError("A group must be joined before it is used.")
        return self._folder

    def living(self) -> list[str]:
        """Return the members whose locks are held, silent ones too; under the lock or not."""
        living = []
        for path in sorted(self._files.iterdir()):
            if path.name == self.name:
                living.append(path.name)
                continue
            try:
                handle = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                living.append(path.name)
            finally:
                os.close(handle)
        return living

    def attentive(self) -> list[str]:
        """Return the living members that have shown themselves of late; under the lock.

        The files of members that have ended are removed.
        """
        living = self.living()
        oldest = time.monotonic() - self._silent_s
        attentive = []
        for path in sorted(self._files.iterdir()):
            if path.name not in living:
                path.unlink(missing_ok=True)
            elif path.name == self.name or float(path.read_bytes() or b"0") >= oldest:
                attentive.append(path.name)
        return attentive

    def is_regrouping(self) -> bool:
        """Whether the folder was made anew a moment ago, so that members may be missing."""
        try:
            remade = float((self.folder / _REMADE).read_bytes() or b"0")
        except FileNotFoundError:
            return False
        return time.monotonic() - remade < _REGROUP_S

    def read(self, name: str, default: Any) -> Any:
        """Return the JSON value of a shared file; ``default`` when there is no such file."""
        try:
            return json.loads((self.folder / name).read_bytes())
        except FileNotFoundError:
            return default

    def write(self, name: str, value: Any) -> None:
        """Write a JSON value into a shared file; under the lock."""
        data = json.dumps(value).encode()
        write_atomically(self.folder / name, data, durable=False, exclusive=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the folder.

        Raises:
            TimeoutError: a worker was stopped while it held the lock; gunicorn's master ends
                such a worker after half a minute.
        """
        handle = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR)
        try:
            deadline = time.monotonic() + _LOCK_WAIT_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise TimeoutError("A worker that is stopped holds the lock.") from None
                    time.sleep(_LOCK_STEP_S)
            yield
        finally:
            os.close(handle)

    @property
    def _files(self) -> Path:
        return self.folder / "members"

    def _enter(self) -> None:
        self._files.mkdir(parents=True, exist_ok=True)
        with self.locked():
            presence = os.open(self._files / self.name, os.O_CREAT | os.O_RDWR)
            fcntl.flock(presence, fcntl.LOCK_EX)
            self._presence = presence
            self._show()
        self.joined += 1

    def _show(self) -> None:
        shown_at = f"{time.monotonic():020.6f}"
        os.pwrite(self._presence, shown_at.encode(), 0)
        # Not before it shows itself: it may be held up in between.
        if time.monotonic() - self._shown_at > self._silent_s:
            self._was_late = True
        self._shown_at = float(shown_at)
