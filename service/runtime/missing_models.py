"""Models that are served and whose files cannot be found: a lost network share, an empty mount.

Workers that have loaded such a model continue to serve it from memory. A worker that starts
meanwhile cannot load it, and must not answer that it does not exist: clients and load balancers
take 404 for final.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from service.repository.model_source import ModelSource
from service.repository.unserved_entries import UnservedEntry
from service.runtime.worker_agreement import WorkerGroup

_EMPTY = "It holds no models any more, though the service has served models from it."


@dataclass(frozen=True, slots=True)
class MissingModels:
    """What one poll has not found in the folder of models.

    Attributes:
        problem: what is wrong with the folder as a whole, in a sentence; empty when nothing is.
        is_unreadable: whether nothing of the folder can be seen.
        models: why those models cannot be loaded that the service serves and that are not there,
            in a sentence, by name.
    """

    problem: str = ""
    is_unreadable: bool = False
    models: Mapping[str, str] = field(default_factory=dict)

    def why(self, model: str) -> str:
        """Return why a worker that does not know a model cannot serve it now.

        Empty when the worker may say that it does not exist.
        """
        if reason := self.models.get(model):
            return f"Model {model!r} cannot be loaded by this worker now: {reason}"
        if self.is_unreadable:
            return f"Whether there is a model {model!r} is not known: {self.problem}"
        return ""

    def ignored(self, known: Container[str]) -> Iterator[UnservedEntry]:
        """Yield what to show beside the other entries that are not served.

        Args:
            known: the models that are left out: this worker knows them, or they are among those
                entries already.
        """
        if self.problem and not self.is_unreadable:
            yield UnservedEntry(".", _EMPTY)
        for model, reason in self.models.items():
            if model not in known:
                yield UnservedEntry(model, f"This worker cannot load it: {reason}")


def find_missing_models(
    store: ModelSource,
    group: WorkerGroup,
    models: Collection[str],
    ignored: Iterable[UnservedEntry],
) -> MissingModels:
    """Look for models that the service serves and that are not in the store.

    A model whose folder alone is gone was removed: only while a living worker serves it from
    memory is it one that the service has.

    Args:
        store: the folder of models.
        group: what the workers have agreed on.
        models: the names of the models that were found in the store.
        ignored: what else was found there.

    Raises:
        OSError: the shared folder cannot be read.
    """
    missing = group.served(without=frozenset(models))
    reasons = {item.path: item.reason for item in ignored if item.path in missing}
    problem = store.why_unreadable()
    is_unreadable = bool(problem)
    if missing and not problem and not models and not reasons:
        problem = _EMPTY
    if problem:
        problem = f"The folder of models: {problem}"
    absent = {}
    for model, is_held in missing.items():
        reason = problem or reasons.get(model, "")
        if reason or is_held:
            absent[model] = reason or "Its folder is missing; other workers serve it from memory."
    return MissingModels(problem, is_unreadable, absent)
