"""A worker's models as requests see them: which there are, their states, leases on versions."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator, Mapping

from service.errors import NotFoundError, UnavailableError
from service.repository.model_policy import Policy
from service.runtime.missing_models import MissingModels
from service.runtime.model_reconciler import ModelReconciler
from service.runtime.servable import Servable
from service.runtime.traffic_split import Routed, Trial
from service.runtime.version_state import VersionStatus
from service.runtime.worker_agreement import WorkerGroup

# Later than planned by this much, the next look may have missed a decision that this worker has
# taken part in: the process was stopped, or its lifecycle held up. The same holds once it has been
# silent for so long that the others decide without it. Requests then wait for the decision to be
# followed, for as long at most.
_LATE_S = 0.5
_CATCH_UP_S = 2.0


class ModelLookup:
    """The models of one worker, as requests see them; any thread may ask.

    The lifecycle, which changes them, is this class with a thread of its own.

    Attributes:
        lists_known_models: whether the error for an unknown model lists the known ones.
    """

    def __init__(self, group: WorkerGroup) -> None:
        """A worker without models yet; ``group`` is what the workers agree on."""
        self.lists_known_models = True
        self._group = group
        self._models: dict[str, ModelReconciler] = {}
        self._missing = MissingModels()
        # When the lifecycle looks next. Its looks are announced here when they are done.
        self._next_look = math.inf
        self._looked = threading.Condition()
        # Until when requests wait for a model that must catch up.
        self._catch_up_by: dict[str, float] = {}

    def models(self) -> list[str]:
        """Return the names of all known models, whether they serve or not."""
        return sorted(self._models)

    def stuck(self) -> dict[str, list[str]]:
        """Return the signatures whose predictions do not return, by model, in this worker."""
        stuck = {
            name: sorted({key for each in model.serving.servables.values() for key in each.stuck})
            for name, model in sorted(self._models.items())
        }
        return {name: signatures for name, signatures in stuck.items() if signatures}

    def require(self, name: str) -> None:
        """Check that there is a model, whether it serves or not.

        Raises:
            NotFoundError: there is no such model.
            UnavailableError: there is, or may be, but its files are away and this worker has
                not loaded it.
        """
        self._model(name)

    def serves(self, name: str) -> bool:
        """Whether any version of a model answers requests."""
        return self._model(name).serving.latest is not None

    def unloaded(self, name: str) -> bool:
        """Whether a model's policy says that nothing serves."""
        return self._model(name).unloaded

    def serving_versions(self, name: str) -> list[int]:
        """Return the versions of a model that answer requests, lowest first."""
        return sorted(self._model(name).serving.servables)

    def status(self, name: str) -> list[VersionStatus]:
        """Return what is known of a model's versions, highest first.

        Raises:
            NotFoundError: there is no such model.
        """
        status = dict(self._model(name).status)
        return [status[version] for version in sorted(status, reverse=True)]

    def labels(self, name: str) -> Mapping[str, int]:
        """Return a model's labels and the versions they stand for."""
        return self._model(name).serving.labels

    def policy(self, name: str) -> Policy:
        """Return the policy that is in force for a model."""
        return self._model(name).policy

    def trial(self, name: str) -> Trial | None:
        """Return how this worker splits a model's requests, and what it counted; if it does."""
        return self._model(name).serving.trial

    def policy_problem(self, name: str) -> str:
        """Return why a model's policy file is not followed; empty when it is."""
        return self._model(name).policy_problem

    @contextlib.contextmanager
    def lease(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """Hold the version that answers for a model; it stays loaded meanwhile.

        Args:
            name: the model's name.
            version: the version asked for.
            label: the label asked for; without either, the latest version answers.

        Raises:
            NotFoundError: there is no such model, version or label, or the model was unloaded.
            UnavailableError: the model is known, but no version of it serves yet, or this worker
                was held up and has not caught up with the others.
        """
        servable = self.acquire(name, version, label)
        try:
            yield servable
        finally:
            servable.release()

    def acquire(
        self,
        name: str,
        version: int | None = None,
        label: str | None = None,
        request: Routed | None = None,
    ) -> Servable:
        """Lease as ``lease`` does; the caller must ``release`` the servable.

        Args:
            name: the model's name.
            version: the version asked for.
            label: the label asked for.
            request: the request that it is for, which a rollout may split; without one the
                version that leads answers.
        """
        servable = self._find(name, version, label, request)
        while not servable.acquire():
            # It was retired between being found and being leased; its successor is in place.
            servable = self._find(name, version, label, request)
        return servable

    def _catch_up(self, name: str) -> None:
        """Follow what the others have decided without this worker before it answers again.

        Raises:
            UnavailableError: it takes too long.
        """
        now, model = time.monotonic(), self._models.get(name)
        if model is None or not (model.is_behind or self._is_held_up(now)):
            return

        def is_in_step() -> bool:
            decision = self._group.decision(name)
            serves = bool(model.serving.servables)
            return not serves or decision is None or decision.number <= model.followed

        with self._looked:
            if is_in_step():
                self._catch_up_by.pop(name, None)
                return
            # All waits together are bounded, because this may block the event loop.
            left = self._catch_up_by.setdefault(name, now + _CATCH_UP_S) - now
            if not self._looked.wait_for(is_in_step, max(0.0, left)):
                raise UnavailableError(
                    "This worker was held up, and catches up with the others.", retry_after_s=1
                )
            self._catch_up_by.pop(name, None)

    def _is_held_up(self, now: float) -> bool:
        """Whether a decision may have been missed since the lifecycle looked last."""
        return now > self._next_look + _LATE_S or self._group.is_silent

    def _find(
        self, name: str, version: int | None, label: str | None, request: Routed | None
    ) -> Servable:
        self._catch_up(name)
        model = self._model(name)
        serving = model.serving
        if label is not None:
            if label not in serving.labels:
                known = ", ".join(sorted(serving.labels)) or "none"
                raise NotFoundError(f"Model {name!r} has no label {label!r}; its labels: {known}.")
            version = serving.labels[label]
        elif version is None and serving.trial is not None and request is not None:
            version = serving.trial.choose(request)
        found = serving.latest if version is None else serving.servables.get(version)
        if found is not None:
            return found
        if not serving.servables:
            if model.unloaded:
                raise NotFoundError(f"Model {name!r} is unloaded; none of its versions serves.")
            raise UnavailableError(
                f"No version of model {name!r} serves yet; GET /v1/models/{name} shows why.",
                retry_after_s=1,
            )
        versions = ", ".join(map(str, sorted(serving.servables)))
        raise NotFoundError(
            f"Version {version} of model {name!r} does not serve; these do: {versions}."
        )

    def _model(self, name: str) -> ModelReconciler:
        try:
            return self._models[name]
        except KeyError:
            # It may exist: others serve it, or nothing can be seen.
            if reason := self._missing.why(name):
                raise UnavailableError(reason, retry_after_s=1) from None
            known = ", ".join(self.models()) or "none"
            which = f"; there are: {known}" if self.lists_known_models else ""
            raise NotFoundError(f"There is no model {name!r}{which}.") from None
