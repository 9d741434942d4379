"""Changes of what serves, for holders of the admin token: policies and rollbacks."""

import contextlib
import hmac
from collections.abc import Callable

from flask import Blueprint, jsonify, request
from flask import Response as FlaskResponse

from service.api.http.flask_hooks import current_context
from service.api.http.request_body import json_body, json_value
from service.api.http.url_paths import MODEL
from service.errors import InvalidRequestError, ServiceError, UnauthenticatedError
from service.repository.errors import RepositoryError
from service.repository.model_policy import (
    Policy,
    rolled_back,
    with_changes,
)
from service.repository.model_source import ModelSource
from service.repository.policy_changes import change_policy
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from service.settings.settings import Settings


def admin_routes(lifecycle: Lifecycle, store: ModelSource, settings: Settings) -> Blueprint:
    """Return the routes that change what serves.

    Args:
        lifecycle: which knows the models.
        store: has the policy files; every worker reads them at its next poll.
        settings: the admin token, which a request must have; without one, the routes refuse every
            request.
    """
    token = settings.admin_token
    blueprint = Blueprint("admin", __name__)

    @blueprint.get(f"{MODEL}/policy")
    def get_policy(model: str) -> FlaskResponse:
        authorise(token)
        _find(lifecycle, model)
        return _shown(attempt(lambda: store.policy(model)))

    @blueprint.put(f"{MODEL}/policy")
    def put_policy(model: str) -> FlaskResponse:
        authorise(token)
        _find(lifecycle, model)
        value = json_value(json_body(request.environ, most=settings.max_body_bytes))

        def changed(before: Policy) -> Policy:
            _check_unchanged(before)
            policy = attempt(lambda: with_changes(before, value))
            named = {*policy.versions, *policy.labels.values()}
            # Versions that the old policy named are not this client's mistake.
            named -= {*before.versions, *before.labels.values()}
            missing = named - store.versions(model).keys()
            if missing:
                raise InvalidRequestError(f"There is no version {min(missing)} of model {model!r}.")
            return policy

        return _shown(change(store, model, changed, repair=True))

    @blueprint.post(f"{MODEL}:rollback")
    def roll_back(model: str) -> FlaskResponse:
        authorise(token)
        _find(lifecycle, model)

        def changed(before: Policy) -> Policy:
            _check_unchanged(before)
            return rolled_back(
                before,
                store.versions(model),
                serving=lifecycle.serving_versions(model),
                refused=refused_versions(lifecycle, model),
            )

        return _shown(change(store, model, changed))

    return blueprint


def refused_versions(lifecycle: Lifecycle, model: str) -> set[int]:
    """Return the versions of a model that this worker has refused."""
    return {each.version for each in lifecycle.status(model) if each.state is State.FAILED}


def authorise(token: str) -> None:
    """Refuse the current request unless it has the admin token; as ``check_token``."""
    check_token(token, request.headers.get("Authorization", ""))


def check_token(token: str, authorization: str) -> None:
    """Refuse a request unless it has the admin token.

    Args:
        token: the token; when it is empty or blank, every request is refused.
        authorization: what the request has under that name; empty without it.

    Raises:
        ServiceError: 403, there is no token.
        UnauthenticatedError: the request does not have it.
    """
    # Blanks around it do not count, so of blanks alone nothing would be left to send.
    if not token.strip():
        raise ServiceError("The admin API is off; UNDERSTUDY_ADMIN_TOKEN turns it on.", status=403)
    scheme, _, given = authorization.partition(" ")
    # WSGI hands over a header's bytes as if they were latin-1. They are compared in constant time:
    # the time taken must not reveal how much was right.
    sent = given.strip().encode("latin-1", errors="replace")
    right = [hmac.compare_digest(sent, known) for known in _on_the_wire(token)]
    if scheme.lower() != "bearer" or not any(right):
        raise UnauthenticatedError("Expected the admin token as 'Authorization: Bearer <token>'.")


def _on_the_wire(token: str) -> list[bytes]:
    """Return the bytes that clients send for a token: UTF-8, or latin-1 as some libraries do."""
    token = token.strip()
    known = [token.encode(errors="surrogateescape")]
    with contextlib.suppress(UnicodeEncodeError):
        known.append(token.encode("latin-1"))
    return known


def _find(lifecycle: Lifecycle, model: str) -> None:
    lifecycle.require(model)
    current_context().model = model


def attempt(read: Callable[[], Policy], *, status: int = 400) -> Policy:
    """Return the policy that ``read`` returns.

    Raises:
        ServiceError: with ``status``, in the words of the ``RepositoryError`` that it raised.
    """
    try:
        return read()
    except RepositoryError as error:
        raise ServiceError(str(error), status=status) from error


def change(
    store: ModelSource, model: str, changed: Callable[[Policy], Policy], *, repair: bool = False
) -> Policy:
    """Change a model's policy as one step, and return the one that is in force then.

    Args:
        store: holds the policy.
        model: the model's name.
        changed: returns the new policy, from the one in force.
        repair: as ``change_policy``.

    Raises:
        ServiceError: 409, in the words of a ``RepositoryError``: the policy in force is invalid,
            is locked by another process for too long, or cannot be changed so; or the folder cannot
            be written. What ``changed`` raises comes through. The old policy is in force then.
    """
    try:
        return attempt(
            lambda: change_policy(store.policy_folder(model), changed, repair=repair), status=409
        )
    except OSError as error:
        raise ServiceError(
            f"The policy cannot be written: {error.strerror}.", status=409
        ) from error


def _check_unchanged(before: Policy) -> None:
    """Refuse the change of a client that says which policy it has seen, when another is in force.

    Raises:
        ServiceError: 412.
    """
    expected = request.if_match
    if expected and not expected.contains(before.etag):
        raise ServiceError(
            "The policy is not the one that If-Match names: it was changed meanwhile. Nothing was "
            "changed; GET it again, and repeat the change.",
            status=412,
        )


def _shown(policy: Policy) -> FlaskResponse:
    response = jsonify(policy.to_json())
    response.set_etag(policy.etag)
    return response
