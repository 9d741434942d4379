"""``GET /ui/overview`` and below: what the page shows, in answers that are cheap to ask for."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, request
from flask import Response as FlaskResponse

from service.api.http.flask_hooks import flask_response
from service.api.http.responses import JSON, Response, json_bytes
from service.api.http.url_paths import MODEL
from service.api.routes.page_version import headline_of, version_on_page
from service.events.event_log import EventLog
from service.monitoring.metric_catalogue import REQUEST_SECONDS
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.request_times import RequestTimes, read_request_times
from service.repository.model_policy import Policy
from service.repository.rollout_policy import Rollout, Stage
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

# Metrics are read from all workers' files at most this often, however many pages are open.
_METRICS_AGE_S = 0.5


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
        return events.rates[model].sentence(settings.events_max_days) if events is not None else ""

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
            return conditional(version_on_page(servable))

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
    body = json_bytes(value)
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
    policy, labels = lifecycle.policy(name), dict(lifecycle.labels(name))
    trial = _trial(policy.rollout)
    shown: dict[str, Any] = {
        "name": name,
        "title": "",
        "version": None,
        "evaluation": None,
        "labels": labels,
        "pinned": policy.pinned,
        # What is special about its versions.
        "marks": [
            *(["pinned"] if policy.pinned else []),
            *([trial["words"]] if trial is not None else []),
            *(f"{label} → {version}" for label, version in labels.items()),
        ],
        "unloaded": policy.unloaded,
        "rollout": trial,
        "policy": lifecycle.policy_problem(name) or _in_words(policy),
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
                shown["evaluation"] = headline_of(servable.card)
    return shown


def _trial(rollout: Rollout | None) -> dict[str, Any] | None:
    """Return which version is on trial, and how far it is in words; ``None`` where none is."""
    if rollout is None:
        return None
    candidate = None if rollout.candidate is None else str(rollout.candidate)
    share = f" {rollout.percent} %" if rollout.stage is Stage.CANARY else ""
    words = f"version {candidate or 'to come'} on trial: {rollout.stage}{share}"
    return {"candidate": candidate, "words": words}


def _in_words(policy: Policy) -> str:
    """Return what a policy does with new versions, as a sentence."""
    if policy.unloaded:
        return "The policy keeps the model unloaded."
    if policy.rollout is not None:
        return "A rollout decides what serves."
    if policy.pinned:
        return "Pinned: new versions are not taken over until that is undone."
    return "New versions are taken over by themselves."
