"""Lets the rows of one servable be compared with its version's reference, if it brings one."""

import logging
from pathlib import Path

from service.monitoring.drift.drift_monitor import ComparedVersion, DriftMonitor
from service.monitoring.logs import log
from service.repository.contract import Contract
from service.repository.errors import RepositoryError
from service.repository.reference.reference_file import Reference, read_reference
from service.runtime.batching import ObserveAnswers


class DriftWatch:
    """What sees the batches of a servable from its load to its end; often nothing does."""

    def __init__(
        self,
        monitor: DriftMonitor | None,
        model: str,
        version: int,
        directory: Path,
        contract: Contract,
    ) -> None:
        """A watch that begins at once.

        Args:
            monitor: compares rows; ``None`` where that is off.
            model: the model's name.
            version: the version's number.
            directory: the version's folder.
            contract: the version's.
        """
        self._monitor = monitor
        self._names = (model, str(version))
        self._watched: ComparedVersion | None = None
        self._observers: dict[str, ObserveAnswers | None] = {}
        reference = None
        if monitor is not None:
            reference = _usable_reference(directory, contract, *self._names)
        if monitor is not None and reference is not None:
            self._watched = monitor.begin(*self._names, reference)
            described = contract[reference.signature]
            for name, signature in contract.items():
                if alike := described.outputs_in_common(signature):
                    self._observers[name] = self._watched.counting.observer(name, alike)

    def observer(self, signature: str) -> ObserveAnswers | None:
        """Return what is to see the batches of a signature, after their answers."""
        return self._observers.get(signature)

    def end(self) -> None:
        """End the watch: the servable is unloaded."""
        if self._monitor is not None and self._watched is not None:
            self._monitor.end(*self._names, self._watched)


def _usable_reference(
    directory: Path, contract: Contract, model: str, version: str
) -> Reference | None:
    try:
        reference = read_reference(directory)
        if reference is not None:
            reference.check(contract)
        return reference
    except RepositoryError as error:
        # It says nothing of how good the version is.
        message = "The reference cannot be used; drift is not looked for."
        log(logging.WARNING, message, model=model, version=version, reason=str(error))
        return None
