"""What turned out to be true of stored predictions: sent by clients, or asked for as audits."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Blueprint, request
from flask import Response as FlaskResponse

from service.access.access_control import AccessControl
from service.access.key_file import Right
from service.api.http.flask_hooks import current_context, flask_response
from service.api.http.query import query_value
from service.api.http.request_body import json_body, json_value
from service.api.http.responses import JSON, Response
from service.api.http.url_paths import MODEL
from service.api.request_limits import Limits
from service.api.validation.problems import Problems
from service.api.validation.truths import (
    NOT_HANDED_OUT,
    CheckedTruths,
    check_truths,
    read_truths,
)
from service.errors import InvalidRequestError, NotFoundError, ServiceError, UnavailableError
from service.events.errors import StoreError
from service.events.event_log import EventLog
from service.events.feedback_records import Audit, NotAuditedError, Result, Source
from service.monitoring.logs import log
from service.repository.contract import Contract
from service.repository.errors import RepositoryError
from service.repository.model_card import read_card
from service.repository.model_source import ModelSource
from service.runtime.lifecycle import Lifecycle

_MOST_AUDITS = 100
_AUDITS = "10"
_RETRY_S = 5
_NOT_STORED = "is stored: it was not sampled, has expired, or was answered within the last second."


def feedback_routes(
    lifecycle: Lifecycle,
    store: ModelSource,
    events: EventLog | None,
    limits: Limits,
    access: AccessControl,
) -> Blueprint:
    """Return the routes of feedback.

    Args:
        lifecycle: knows the models.
        store: has the cards of versions that do not serve any more.
        events: where predictions are stored; ``None`` where they are not, and all is refused.
        limits: of requests.
        access: who may say that a truth answers an audit.
    """
    blueprint = Blueprint("feedback", __name__)

    @blueprint.post(f"{MODEL}:feedback")
    def put_truths(model: str) -> FlaskResponse:
        known = _event_log(lifecycle, events, model)
        value = json_value(json_body(request.environ, most=limits.max_body_bytes))
        sent = read_truths(value, limit=limits.max_errors)
        if any(each.source is Source.AUDIT for each in sent):
            access.require(request.environ, model, Right.AUDIT)
        contracts = _Contracts(lifecycle, store, model)
        with _store_errors(model):
            found = known.store.find_all(model, {each.request_id for each in sent})
            checked = check_truths(
                sent,
                found.get,
                contracts.of,
                limit=limits.max_errors,
            )
            return _json(_put(known, model, checked, limits.max_errors))

    @blueprint.get(f"{MODEL}/audits")
    def audits(model: str) -> FlaskResponse:
        known = _event_log(lifecycle, events, model)
        asked = query_value(request.environ, "count")
        count = _AUDITS if asked is None else asked
        # Not int("9" * 5000), which is an error of its own.
        is_whole = count.isascii() and count.isdecimal() and len(count) <= len(str(_MOST_AUDITS))
        if not (is_whole and 0 < int(count) <= _MOST_AUDITS):
            raise InvalidRequestError(
                f"count: Expected a whole number from 1 to {_MOST_AUDITS}, not {count[:60]!r}."
            )
        with _store_errors(model):
            trial = lifecycle.policy(model).rollout
            found = known.store.hand_out(model, int(count), trial.id if trial else "")
        return _json({"audits": [_shown(audit) for audit in found]})

    return blueprint


def _event_log(lifecycle: Lifecycle, events: EventLog | None, model: str) -> EventLog:
    lifecycle.require(model)
    current_context().model = model
    if events is None:
        raise ServiceError(
            "Predictions are not stored here; UNDERSTUDY_EVENTS turns that on.", status=403
        )
    return events


class _Contracts:
    """The contracts of a model's versions, also of those that are not loaded any more."""

    def __init__(self, lifecycle: Lifecycle, store: ModelSource, model: str) -> None:
        self._lifecycle = lifecycle
        self._store = store
        self._model = model
        self._known: dict[int, Contract] = {}

    def of(self, version: int) -> Contract:
        """Return a version's contract; the latest version's as far as it has left none.

        Raises:
            NotFoundError: there is no version of the model any more.
            UnavailableError: no version of the model serves yet.
        """
        found = self._known.get(version)
        if found is None:
            found = self._known[version] = self._find(version)
        return found

    def _find(self, version: int) -> Contract:
        with (
            contextlib.suppress(NotFoundError, UnavailableError),
            self._lifecycle.lease(self._model, version) as servable,
        ):
            return servable.contract
        card = None
        with contextlib.suppress(RepositoryError, KeyError):
            card = read_card(self._store.versions(self._model)[version])
        try:
            with self._lifecycle.lease(self._model) as servable:
                latest = servable.contract
        except (NotFoundError, UnavailableError):
            if card is None:
                raise
            return card.contract
        # A card need not describe all signatures that its version has answered.
        return latest if card is None else {**latest, **card.contract}


def _put(known: EventLog, model: str, checked: CheckedTruths, limit: int) -> dict[str, Any]:
    """Store truths, and return the answer.

    Raises:
        NotFoundError: none of the predictions is stored.
        InvalidRequestError: some claim to be audits of rows that were not handed out.
    """
    try:
        results = known.store.put(model, checked.truths)
    except NotAuditedError as error:
        problems = Problems(limit)
        for place in error.places:
            problems.add(f"{checked.sent[place].path}.source", NOT_HANDED_OUT)
        raise problems.error() from error
    missing = [*checked.not_stored]
    for sent, result in zip(checked.sent, results, strict=True):
        known.metrics.feedback.labels(model, sent.source, str(result)).inc()
        if result is Result.NOT_SAMPLED:
            missing.append(sent)
    for sent in checked.not_stored:
        known.metrics.feedback.labels(model, sent.source, str(Result.NOT_SAMPLED)).inc()
    if len(missing) == len(checked.sent) + len(checked.not_stored):
        first = missing[0]
        raise NotFoundError(
            f"{first.path}: No row {first.row} of a prediction {first.request_id!r} {_NOT_STORED}"
        )
    counts = {each: results.count(each) for each in _TAKEN}
    ids = dict.fromkeys(sent.request_id for sent in missing)
    return {**{str(each): count for each, count in counts.items()}, "not_sampled": list(ids)}


_TAKEN = (Result.STORED, Result.CORRECTED, Result.UNCHANGED)


@contextlib.contextmanager
def _store_errors(model: str) -> Iterator[None]:
    """Turn a store that cannot be used into an answer that does not show where it is.

    Raises:
        UnavailableError: it cannot be used now.
    """
    try:
        yield
    except StoreError as error:
        log(logging.ERROR, str(error), model=model)
        raise UnavailableError(
            "The event store cannot be used now.", retry_after_s=_RETRY_S
        ) from error


def _shown(audit: Audit) -> dict[str, Any]:
    """Return what is needed to label a row, without the answer, which would bias the label."""
    return {
        "id": audit.event.request_id,
        "row": audit.instance,
        "signature": audit.event.signature,
        "inputs": audit.event.row_of_inputs(audit.instance),
    }


def _json(value: Any) -> FlaskResponse:
    return flask_response(
        Response(orjson.dumps(value), JSON, headers={"Cache-Control": "no-store"})
    )
