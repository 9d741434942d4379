"""Changing what serves, for those who hold the admin token: policies and rollbacks."""

import hmac
from collections.abc import Callable
from typing import Any

from flask import Blueprint, request

from service.api.body import json_body, json_value
from service.api.observe import exchange
from service.api.routing import MODEL
from service.errors import InvalidRequestError, ServiceError
from service.repository.errors import RepositoryError
from service.repository.policy import (
    Policy,
    policy_from_json,
    read_policy,
    rolled_back,
    write_policy,
)
from service.repository.store import Store
from service.runtime.lifecycle import Lifecycle
from service.settings import Settings


def admin_routes(lifecycle: Lifecycle, store: Store, settings: Settings) -> Blueprint:
    """Return the routes that change what serves.

    Args:
        lifecycle: which knows the models.
        store: whose policy files are written; every worker reads them at its next look.
        settings: hold the token that a request must bear; when it is empty, the routes refuse
            everything.
    """
    token = settings.admin_token
    blueprint = Blueprint("admin", __name__)

    @blueprint.get(f"{MODEL}/policy")
    def get_policy(model: str) -> dict[str, Any]:
        authorise(token)
        _find(lifecycle, model)
        return attempt(lambda: read_policy(store.root / model)).to_json()

    @blueprint.put(f"{MODEL}/policy")
    def put_policy(model: str) -> dict[str, Any]:
        authorise(token)
        _find(lifecycle, model)
        policy = attempt(
            lambda: policy_from_json(
                json_value(json_body(exchange(), most=settings.max_body_bytes))
            )
        )
        missing = {*policy.versions, *policy.labels.values()} - store.versions(model).keys()
        if missing:
            raise InvalidRequestError(f"There is no version {min(missing)} of model {model!r}.")
        return put(store, model, policy)

    @blueprint.post(f"{MODEL}:rollback")
    def roll_back(model: str) -> dict[str, Any]:
        authorise(token)
        _find(lifecycle, model)
        policy = attempt(
            lambda: rolled_back(read_policy(store.root / model), store.versions(model)), status=409
        )
        return put(store, model, policy)

    return blueprint


def authorise(token: str) -> None:
    """Refuse the current request unless it bears the admin token.

    Args:
        token: the token; when it is empty, every request is refused.

    Raises:
        ServiceError: 403, there is no token; 401, the request does not bear it.
    """
    if not token:
        raise ServiceError("The admin API is off; UNDERSTUDY_ADMIN_TOKEN turns it on.", status=403)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # Compared in constant time, as bytes: the time taken must not tell how much was right.
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise ServiceError(
            "Expected the admin token as 'Authorization: Bearer <token>'.",
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )


def _find(lifecycle: Lifecycle, model: str) -> None:
    lifecycle.require(model)
    exchange().model = model


def attempt(read: Callable[[], Policy], *, status: int = 400) -> Policy:
    """Return the policy that ``read`` returns.

    Raises:
        ServiceError: with ``status``, in the words of the ``RepositoryError`` that it raised.
    """
    try:
        return read()
    except RepositoryError as error:
        raise ServiceError(str(error), status=status) from error


def put(store: Store, model: str, policy: Policy) -> dict[str, Any]:
    """Put a model's policy in force, and return it as JSON.

    Raises:
        ServiceError: 409, the folder cannot be written.
    """
    try:
        write_policy(store.root / model, policy)
    except OSError as error:
        raise ServiceError(
            f"The policy cannot be written: {error.strerror}.", status=409
        ) from error
    return policy.to_json()
