"""``GET /ui/overview`` and below: what the page shows, in answers that are cheap to ask for."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from flask import Blueprint, request
from flask import Response as FlaskResponse

from service.api.http.flask_hooks import flask_response
from service.api.http.responses import JSON, Response
from service.api.http.url_paths import MODEL
from service.api.routes.card_sections import (
    confusion_of,
    reliability_of,
    sections_of_contract,
    sections_of_evaluation,
    sections_of_gates,
    sections_of_making,
)
from service.events.event_log import EventLog
from service.monitoring.metric_catalogue import REQUEST_SECONDS
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.request_times import RequestTimes, read_request_times
from service.repository.golden import GoldenExample
from service.repository.model_card import Card
from service.repository.rollout_policy import Rollout
from service.runtime.lifecycle import Lifecycle
from service.runtime.servable import Servable
from service.settings.settings import Settings

# Metrics are read from all workers' files at most this often, however many pages are open.
_METRICS_AGE_S = 0.5
_HEADLINE = ("name", "value", "low", "high")


def overview_routes(
    lifecycle: Lifecycle,
    metrics: Metrics,
    settings: Settings,
    events: EventLog | None,
    *,
    version: str,
) -> Blueprint:
    """Return the routes that the page reads, besides those of predictions.

    Args:
        lifecycle: knows the models.
        metrics: have what all workers counted.
        settings: the service's; the page shows its bounds.
        events: where predictions are stored; ``None`` where they are not.
        version: of this software.
    """
    blueprint = Blueprint("overview", __name__)
    recent = _RecentTimes(metrics)

    def stored(model: str) -> str:
        return events.rates(model).sentence(settings.events_max_days) if events is not None else ""

    @blueprint.get("/ui/overview")
    def overview() -> FlaskResponse:
        times = recent.read()
        return conditional(
            {
                "version": version,
                "admin": bool(settings.admin_token),
                "keys": settings.keys_file is not None,
                "max_rows": settings.max_rows,
                "max_body_bytes": settings.max_body_bytes,
                "problem": lifecycle.store_problem,
                "bounds": REQUEST_SECONDS,
                "models": [
                    {**_model(lifecycle, name, times.get(name, {})), "events": stored(name)}
                    for name in lifecycle.models()
                ],
                "ignored": [asdict(item) for item in lifecycle.ignored()],
            }
        )

    @blueprint.get(f"/ui{MODEL.removeprefix('/v1')}/versions/<version:version>")
    def one_version(model: str, version: int) -> FlaskResponse:
        with lifecycle.lease(model, version) as servable:
            return conditional(_version(servable))

    return blueprint


class _RecentTimes:
    """What all workers counted of predictions, read anew when it is too old."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._times: dict[str, dict[str, RequestTimes]] = {}

    def read(self) -> Mapping[str, Mapping[str, RequestTimes]]:
        """Return the counts by model and version."""
        with self._lock:
            if time.monotonic() - self._read_at > _METRICS_AGE_S:
                self._times = {}
                for (model, version), times in read_request_times(self._metrics).items():
                    self._times.setdefault(model, {})[version] = times
                self._read_at = time.monotonic()
            return self._times


def conditional(value: Any) -> FlaskResponse:
    """Return ``value`` as JSON; only its ETag where the client has the same already."""
    body = orjson.dumps(value)
    etag = hashlib.sha256(body).hexdigest()[:24]
    if request.if_none_match.contains_weak(etag):
        response = FlaskResponse(status=304)
        del response.headers["Content-Type"]
    else:
        response = flask_response(Response(body, JSON))
    # Weak, as the body may be packed for one client and not for another.
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _model(lifecycle: Lifecycle, name: str, times: Mapping[str, RequestTimes]) -> dict[str, Any]:
    policy = lifecycle.policy(name)
    shown: dict[str, Any] = {
        "name": name,
        "title": "",
        "version": None,
        "evaluation": None,
        "labels": dict(lifecycle.labels(name)),
        "pinned": policy.pinned,
        "unloaded": policy.unloaded,
        "rollout": _trial(policy.rollout),
        "policy_problem": lifecycle.policy_problem(name),
        "versions": [
            {"version": str(item.version), "state": str(item.state), "reason": item.reason}
            for item in lifecycle.status(name)
        ],
        "times": {version: asdict(found) for version, found in sorted(times.items())},
    }
    if lifecycle.serves(name):
        with lifecycle.lease(name) as servable:
            shown["version"] = str(servable.version)
            if servable.card:
                shown["title"] = servable.card.title
                shown["evaluation"] = _headline(servable.card)
    return shown


def _trial(rollout: Rollout | None) -> dict[str, Any] | None:
    """Return which version is on trial, and how far it is; ``None`` where none is."""
    if rollout is None:
        return None
    return {
        "stage": str(rollout.stage),
        "percent": rollout.percent,
        "candidate": None if rollout.candidate is None else str(rollout.candidate),
    }


def _headline(card: Card) -> dict[str, Any] | None:
    """Return the one number that an evaluation comes to; ``None`` where the card has none."""
    headline = card.evaluation.get("headline")
    if not isinstance(headline, dict) or not isinstance(headline.get("value"), int | float):
        return None
    return {key: headline[key] for key in _HEADLINE if key in headline}


def _version(servable: Servable) -> dict[str, Any]:
    card = servable.card
    return {
        "name": servable.model,
        "version": str(servable.version),
        "signatures": {
            signature.name: {
                **signature.to_json(),
                "has_rows": signature.has_rows,
                "rows_independent": signature.has_rows and bool(signature.rows_independent),
            }
            for signature in servable.contract.values()
        },
        "contract": sections_of_contract(servable.contract.values()),
        "examples": [_example(each) for each in servable.golden.examples]
        if servable.golden
        else [],
        "card": {
            "title": card.title,
            "description": card.description,
            "headline": _headline(card),
            "reliability": reliability_of(card.evaluation),
            "confusion": confusion_of(card.evaluation),
            "measured": sections_of_evaluation(card.evaluation),
            "gates": sections_of_gates(card.training),
            "made": sections_of_making(card, servable.precision),
        }
        if card
        else None,
    }


def _example(example: GoldenExample) -> dict[str, Any]:
    return {
        "note": example.note,
        "signature": example.signature,
        "instance": example.instance,
        "truth": example.truth,
    }
