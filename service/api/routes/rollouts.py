"""``/v1/models/<model>/rollout``: a version on trial, and for admins to begin one."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, jsonify, request
from flask import Response as FlaskResponse

from service.api.http.flask_hooks import current_context
from service.api.http.request_body import json_body, json_value
from service.api.http.url_paths import MODEL
from service.api.routes.admin import attempt, authorise, change, refused_versions
from service.api.validation.error_messages import shorten
from service.errors import InvalidRequestError, ServiceError
from service.repository.errors import RepositoryError
from service.repository.json_files import shown
from service.repository.model_policy import Policy, begin_rollout, champion_of_trial
from service.repository.model_source import ModelSource
from service.repository.rollout_policy import Rollout, RolloutRules, rules_from_json
from service.rollout.rollout_record import RolloutRecord, read_rollout_record
from service.rollout.rollout_words import (
    evidence_in_words,
    rollout_sentence,
    unserved_sentence,
)
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings


def rollout_routes(
    lifecycle: Lifecycle, store: ModelSource, settings: Settings, problem: Callable[[str], str]
) -> Blueprint:
    """Return the routes of rollouts.

    Args:
        lifecycle: which knows the models.
        store: has the policies and the records of rollouts.
        settings: the admin token, which a request to begin one must have.
        problem: returns why a model's rollout cannot go on; empty if it can.
    """
    blueprint = Blueprint("rollouts", __name__)

    @blueprint.get(f"{MODEL}/rollout")
    def get_rollout(model: str) -> FlaskResponse:
        _find(lifecycle, model)
        try:
            folder = store.policy_folder(model)
        except RepositoryError:
            # Its versions are chosen elsewhere, and by no rollout.
            return jsonify(_shown(None, lifecycle, model, problem(model)))
        try:
            record = read_rollout_record(folder)
        except RepositoryError as error:
            raise ServiceError(str(error)) from error
        return jsonify(_shown(record, lifecycle, model, problem(model)))

    @blueprint.post(f"{MODEL}:rollout")
    def start_rollout(model: str) -> FlaskResponse:
        authorise(settings.admin_token)
        _find(lifecycle, model)
        value = json_value(json_body(request.environ, most=settings.max_body_bytes))
        candidate, rules = _parsed_request(value)

        def changed(before: Policy) -> Policy:
            available = store.versions(model)
            if candidate not in available:
                raise InvalidRequestError(f"There is no version {candidate} of model {model!r}.")
            with lifecycle.lease(model) as servable:  # Which fails where none serves.
                latest = servable.version
            champion = champion_of_trial(
                before,
                available,
                serving=lifecycle.serving_versions(model),
                refused=refused_versions(lifecycle, model),
            )
            # The folder of the only one that serves may be gone.
            champion = latest if champion is None else champion
            return attempt(lambda: begin_rollout(before, champion, candidate, rules), status=409)

        policy = change(store, model, changed)
        response = jsonify(policy.to_json())
        response.set_etag(policy.etag)
        return response

    return blueprint


def _find(lifecycle: Lifecycle, model: str) -> None:
    lifecycle.require(model)
    current_context().model = model


def _parsed_request(value: Any) -> tuple[int, RolloutRules]:
    """Return the candidate and the rules that a request names.

    Raises:
        InvalidRequestError: it names no candidate, or what are no rules.
    """
    if not isinstance(value, dict) or not value.keys() <= {"candidate", "rules"}:
        expected = '{"candidate": <version>, "rules": {...}}'
        raise InvalidRequestError(f"Expected {expected}, not {shown(value)}.")
    candidate = value.get("candidate")
    if not isinstance(candidate, int) or isinstance(candidate, bool):
        raise InvalidRequestError(
            f"candidate: Expected the number of a version, not {shorten(candidate)}."
        )
    try:
        return candidate, rules_from_json(value.get("rules", {}), "rules")
    except RepositoryError as error:
        raise InvalidRequestError(str(error)) from error


# The record may be ahead of the policy that this worker follows, or behind it.
_NOT_IN_FORCE = "Nothing is tried out, because no rollout is in force (yet, or any more)."


def _shown(
    record: RolloutRecord | None, lifecycle: Lifecycle, model: str, problem: str
) -> dict[str, Any]:
    """Return what a client sees of a rollout.

    Args:
        record: what is recorded of it; ``None`` if nothing is.
        lifecycle: knows the rollout that is in force, and what serves.
        model: the model's name.
        problem: why nothing can be decided; empty if it can.
    """
    in_force, serving = lifecycle.policy(model).rollout, lifecycle.serving_versions(model)
    obstacle = f"Nothing is decided: {problem}" if problem and in_force else ""
    if record is not None and (in_force is None or in_force.id == record.rollout.id):
        # What has ended needs no decision any more, though its policy may not say so yet.
        return _recorded(record, in_force, serving, "" if record.outcome else obstacle)
    sentence = reason = "There was no rollout."
    if in_force is not None:
        sentence = unserved_sentence(in_force, serving) or rollout_sentence(
            str(in_force.stage), in_force
        )
        reason = obstacle or "It begins."
    return {
        "state": "none" if in_force is None else str(in_force.stage),
        "sentence": sentence,
        "reason": reason,
        "held": bool(obstacle),
        "decisions": [],
    }


def _recorded(
    record: RolloutRecord, in_force: Rollout | None, serving: Sequence[int], obstacle: str
) -> dict[str, Any]:
    """Return a record as a client sees it, without the counts by bin."""
    rollout = record.rollout
    sentence = ""
    evidence: list[str] = []
    if not record.outcome:
        sentence = _NOT_IN_FORCE if in_force is None else unserved_sentence(rollout, serving)
        if rollout.candidate is not None:
            evidence = [obstacle] * bool(obstacle) + evidence_in_words(
                rollout, record.stages, elapsed_s=record.elapsed_s, quality=record.quality
            )
    return {
        "state": record.state,
        "sentence": sentence or rollout_sentence(record.state, rollout),
        "evidence": evidence,
        "reason": obstacle or record.reason,
        "held": record.held or bool(obstacle),
        "champion": rollout.champion,
        "candidate": rollout.candidate,
        "percent": rollout.percent,
        "rules": rollout.rules_to_json(),
        "stages": [
            {
                "stage": str(each.stage),
                "percent": each.percent,
                "candidate": _arm(each.arms.candidate),
                "champion": _arm(each.arms.champion),
                "shadow": each.shadow.to_json(),
            }
            for each in record.stages
        ],
        "quality": record.quality and record.quality.to_json(),
        "decisions": record.decisions,
        "earlier": record.earlier,
    }


def _arm(totals: Any) -> dict[str, int]:
    return {"units": totals.units, "failures": totals.failures}
