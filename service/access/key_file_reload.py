"""The keys that are in force in this worker: those of the file when it was last right."""

import logging
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from threading import Lock, Thread
from time import monotonic

from service.access.key_file import ApiKey, file_of, read_keys, write_closed
from service.access.rate_limit import TokenBucket
from service.monitoring.logs import log
from service.repository.errors import RepositoryError

# In the folder that the workers share.
_COPY = "keys.json"


class KeyInForce:
    """A key, and how much of its rate it has used in this worker.

    Attributes:
        key: what the file says.
        bucket: lets its requests through; ``None`` where it has no limit.
    """

    __slots__ = ("bucket", "key")

    def __init__(self, key: ApiKey, workers: int) -> None:
        """A key that has not been used yet.

        A worker lets its share of the rate through, the service's rate divided by its workers, so
        that all of them together never let through more.
        """
        self.key = key
        self.bucket: TokenBucket | None = None
        if key.requests_per_s is not None:
            burst = key.requests_per_s if key.burst is None else key.burst
            self.bucket = TokenBucket(key.requests_per_s / workers, burst / workers)


class KeysInForce:
    """Follows a file of keys.

    The file is checked when a request arrives and the last check is more than the poll interval
    ago, and by ``reload_if_changed`` while no request arrives. While requests arrive often, a
    changed file is read on a thread, because reading ten thousand keys would delay them. After a
    pause it is read before the request is answered, so that a key that was removed meanwhile is
    rejected. A file that is missing, invalid or too open changes nothing: the last valid one stays
    in force, also for workers that start meanwhile, which read a copy in the shared folder.
    A worker without a valid file rejects all keys.
    """

    def __init__(
        self,
        path: Path,
        *,
        workers: int,
        poll_interval_s: float,
        shared_folder: Path | None,
        on_problem: Callable[[bool], object],
        on_change: Callable[[Set[str]], object] = lambda names: None,
    ) -> None:
        """The keys of a file, which is read now.

        Args:
            path: the file.
            workers: of the service.
            poll_interval_s: seconds between looks at the file.
            shared_folder: the workers', where there are several.
            on_problem: is called after each change with whether the file cannot be used.
            on_change: is called with the names of the keys that are in force from now on.
        """
        self._path = path
        self._workers = workers
        self._poll_interval_s = poll_interval_s
        self._copy = shared_folder / _COPY if shared_folder else None
        self._on_problem = on_problem
        self._on_change = on_change
        self._lock = Lock()
        self._keys: dict[bytes, KeyInForce] = {}
        self._seen: object = None
        self._problem = ""
        self._next_look = 0.0
        self._load(self._fingerprint())
        self._next_look = monotonic() + self._poll_interval_s
        if self._problem:
            self._load_copy()

    @property
    def problem(self) -> str:
        """Why the file cannot be used, in a sentence; empty if it is in force."""
        return self._problem

    def current(self) -> Mapping[bytes, KeyInForce]:
        """Return the keys in force by their digests."""
        now = monotonic()
        if now >= self._next_look and self._lock.acquire(blocking=False):
            is_followed = now < self._next_look + self._poll_interval_s
            seen = self._fingerprint()
            if seen != self._seen and is_followed:
                # It releases the lock.
                Thread(target=self._load_and_release, args=(seen,), daemon=True).start()
            else:
                self._load_and_release(seen)
        return self._keys

    def reload_if_changed(self) -> None:
        """Check the file, and read it if it has changed, independently of requests.

        The time of the next check by a request stays the same, so that a key that was removed
        during a pause is rejected.
        """
        with self._lock:
            self._load(self._fingerprint())

    def _load_and_release(self, seen: object) -> None:
        try:
            self._load(seen)
            self._next_look = monotonic() + self._poll_interval_s
        finally:
            self._lock.release()

    def _load(self, seen: object) -> None:
        """Put the file in force if it has changed and is right.

        Args:
            seen: its fingerprint now.
        """
        if seen != self._seen:
            self._seen = seen
            try:
                keys = read_keys(self._path)
            except RepositoryError as error:
                self._note(str(error))
            else:
                self._put_in_force(keys)
                self._note("")
                self._save_copy(keys)

    def _put_in_force(self, keys: Mapping[bytes, ApiKey]) -> None:
        before = self._keys
        after = {}
        for digest, key in keys.items():
            known = before.get(digest)
            # A change of the file gives nobody a new burst whose own limits stay.
            same = known is not None and known.key == key
            after[digest] = known if known and same else KeyInForce(key, self._workers)
        self._keys = after
        self._on_change({key.name for key in keys.values()})

    def _fingerprint(self) -> object:
        try:
            found = self._path.stat()
        except OSError as error:
            return error.errno
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)

    def _note(self, problem: str) -> None:
        """Say what has changed, once."""
        if problem:
            log(logging.ERROR, f"{problem} The last good file of keys stays in force.")
        elif self._problem:
            log(logging.INFO, f"{self._path.name} can be used again, and is in force.")
        self._problem = problem
        self._on_problem(bool(problem))

    def _load_copy(self) -> None:
        if self._copy is not None:
            try:
                self._put_in_force(read_keys(self._copy))
            except RepositoryError:
                pass  # No worker has read a good one.
            else:
                return
        log(logging.ERROR, f"There is no good {self._path.name} yet: no key is known.")

    def _save_copy(self, keys: Mapping[bytes, ApiKey]) -> None:
        if self._copy is None:
            return
        try:
            # What was found right: the file itself may have changed by now.
            write_closed(self._copy, file_of(keys.values()))
        except OSError as error:
            log(logging.WARNING, f"The keys cannot be copied for workers that start later: {error}")
