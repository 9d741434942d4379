"""``/v1/models/<model>/rollout``: a version on trial, and for admins to begin one."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, jsonify, request
from flask import Response as FlaskResponse

from service.api.http.flask_hooks import current_context
from service.api.http.request_body import json_body, json_value
from service.api.http.url_paths import MODEL
from service.api.routes.admin import attempt, authorise, change
from service.api.validation.error_messages import shorten
from service.errors import InvalidRequestError, ServiceError
from service.repository.errors import RepositoryError
from service.repository.json_files import shown
from service.repository.model_policy import Policy, begin_rollout
from service.repository.model_source import ModelSource
from service.repository.rollout_policy import RolloutRules, rules_from_json
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
            if candidate not in store.versions(model):
                raise InvalidRequestError(f"There is no version {candidate} of model {model!r}.")
            with lifecycle.lease(model) as servable:
                champion = servable.version
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
    """Return what a client sees of a rollout: its record, without the counts by bin."""
    under_way, serving = lifecycle.policy(model).rollout, lifecycle.serving_versions(model)
    if record is None or (under_way is not None and under_way.id != record.rollout.id):
        if under_way is None:
            sentence = "There was no rollout."
            return {
                "state": "none",
                "sentence": sentence,
                "reason": sentence,
                "held": False,
                "decisions": [],
            }
        state = str(under_way.stage)
        sentence = unserved_sentence(under_way, serving) or rollout_sentence(state, under_way)
        return {
            "state": state,
            "sentence": sentence,
            "reason": _problem_sentence(problem) or "It begins.",
            "held": bool(problem),
            "decisions": [],
        }
    rollout = record.rollout
    sentence = ""
    if not record.outcome:
        sentence = _NOT_IN_FORCE if under_way is None else unserved_sentence(rollout, serving)
    evidence: list[str] = []
    # What has ended needs no decision any more, though its record may not say so.
    obstacle = "" if record.outcome or under_way is None else _problem_sentence(problem)
    if not record.outcome and rollout.candidate is not None:
        evidence = evidence_in_words(
            rollout, record.stages, elapsed_s=record.elapsed_s, quality=record.quality
        )
        if obstacle:
            evidence.insert(0, obstacle)
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


def _problem_sentence(problem: str) -> str:
    return problem and f"Nothing is decided: {problem}"


def _arm(totals: Any) -> dict[str, int]:
    return {"units": totals.units, "failures": totals.failures}
