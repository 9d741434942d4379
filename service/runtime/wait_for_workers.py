"""Waiting until all workers follow a change of what serves."""

import time
from collections.abc import Callable

from service.errors import ServiceError
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State, VersionStatus

# Between looks at a model that is not yet what it should be.
_PAUSE_S = 0.05


def wait_for_workers(
    lifecycle: Lifecycle,
    model: str,
    in_force: Callable[[], bool],
    *,
    unloaded: bool,
    timeout_s: float,
    decided_by: str = "the policy",
) -> None:
    """Wait until a model serves, or does not any more, in all workers.

    Args:
        lifecycle: knows what serves.
        model: the model's name; one that is not known serves nothing.
        in_force: whether what is waited for is still asked for.
        unloaded: whether nothing is to serve.
        timeout_s: seconds to wait at most.
        decided_by: what asks for it, for messages.

    Raises:
        ServiceError: 409, no version can be loaded, or another change has taken this one's place;
            504, time was up, and the change is in force all the same.
    """
    deadline = time.monotonic() + timeout_s
    what = "unloaded" if unloaded else "loaded"
    while True:
        ended = lifecycle.reconcile_now(model, deadline - time.monotonic())
        serves, failed = _state(lifecycle, model)
        if ended and serves is not unloaded:
            return
        if not in_force():
            raise ServiceError(
                f"Model {model!r} was to be {what}, and another change has taken that back before "
                "all workers had followed.",
                status=409,
            )
        if ended and failed and not unloaded:
            raise ServiceError(
                f"Model {model!r} was not loaded; version {failed[0].version} was refused: "
                f"{failed[0].reason}",
                status=409,
            )
        if time.monotonic() >= deadline:
            raise ServiceError(
                f"Model {model!r} is to be {what}: {decided_by} says so and stays in "
                f"force, but not all workers have followed in {timeout_s:.3g} s. They go on; "
                f"GET /v1/models/{model} shows how far they are.",
                status=504,
            )
        time.sleep(_PAUSE_S)


def _state(lifecycle: Lifecycle, model: str) -> tuple[bool, list[VersionStatus]]:
    """Return whether a model serves, and its versions that were refused."""
    try:
        status = lifecycle.status(model)
        return lifecycle.serves(model), [item for item in status if item.state is State.FAILED]
    except ServiceError:
        # It is not known yet, or not any more, or not in this worker yet.
        return False, []
