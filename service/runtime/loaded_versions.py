"""The versions of one model that a worker has in memory, from being proved to being unloaded."""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from functools import partial

from service.runtime.loader import LoadedVersion


class LoadedVersions:
    """Versions in memory. Only the lifecycle's thread uses it.

    Attributes:
        staged: versions that have proved themselves and wait for the other workers.
        live: versions that serve.
        draining: versions that served, until their last requests have ended.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """A worker that holds no version of the model.

        Args:
            wake: called when a version was unloaded, on the thread of its last request.
        """
        self._wake = wake
        self.staged: dict[int, LoadedVersion] = {}
        self.live: dict[int, LoadedVersion] = {}
        self.draining: list[tuple[int, LoadedVersion]] = []
        self._unloaded: deque[tuple[int, LoadedVersion]] = deque()

    def __contains__(self, version: int) -> bool:
        """Whether a version is staged or live."""
        return version in self.live or version in self.staged

    def all(self) -> dict[int, LoadedVersion]:
        """Return what is staged or live, by version."""
        return {**self.live, **self.staged}

    def contents(self, chosen: Mapping[int, LoadedVersion]) -> dict[int, str]:
        """Return what answers under each number once ``chosen`` serves; also what still drains."""
        answering = [*self.draining, *self.live.items(), *chosen.items()]
        return {version: each.content for version, each in answering}

    def is_draining(self, version: int) -> bool:
        """Whether requests to a version that served are still running."""
        return any(version == each for each, _ in self.draining)

    def serve(self, chosen: Mapping[int, LoadedVersion]) -> dict[int, LoadedVersion]:
        """Let ``chosen`` be what is live.

        Returns:
            What was live and is not any more. It drains; the caller retires it.
        """
        leaving = {version: each for version, each in self.live.items() if version not in chosen}
        self.draining += leaving.items()
        self.live = dict(chosen)
        for version in chosen:
            self.staged.pop(version, None)
        return leaving

    def unstage(self, version: int) -> LoadedVersion:
        """Drop a staged version, and return it."""
        loaded = self.staged.pop(version)
        self.retire(version, loaded)
        return loaded

    def unstage_all_but(self, keep: Collection[int]) -> None:
        """Drop the staged versions that are not in ``keep``."""
        for version in self.staged.keys() - set(keep):
            self.unstage(version)

    def retire(self, version: int, loaded: LoadedVersion) -> None:
        """Unload a version as soon as its last request has ended."""
        loaded.servable.retire(partial(self._note_end, version, loaded))

    def take_unloaded(self) -> tuple[list[int], bool]:
        """Forget the versions that were unloaded.

        Returns:
            The versions that were unloaded since the last time, and whether some had drained.
        """
        versions: list[int] = []
        has_drained = False
        while self._unloaded:
            version, loaded = self._unloaded.popleft()
            versions.append(version)
            if (version, loaded) in self.draining:
                self.draining.remove((version, loaded))
                has_drained = True
        return versions, has_drained

    def _note_end(self, version: int, loaded: LoadedVersion) -> None:
        """Note that a version was unloaded; on the thread of its last request."""
        self._unloaded.append((version, loaded))
        self._wake()
