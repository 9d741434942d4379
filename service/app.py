"""The application: wires repository, runtime and routes. Nothing happens at import."""

import os
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, Request
from flask.json.provider import DefaultJSONProvider
from werkzeug.routing import MapAdapter

from service import __version__
from service.access.access_control import AccessControl, access_of
from service.access.cross_origin import CrossOrigin
from service.access.idle_key_check import IdleKeyCheck
from service.access.trusted_proxies import TrustedProxies
from service.api.codecs.codec_interface import CodecSelector
from service.api.codecs.codec_selection import ClassifyCodecs, InferCodecs, PredictCodecs
from service.api.codecs.tfserving.classify_codec import Method
from service.api.http.flask_hooks import install_hooks
from service.api.http.request_context import RequestObserver
from service.api.http.route_access import RouteAccess
from service.api.http.url_paths import configure_urls
from service.api.inference.pipeline import InferencePipeline
from service.api.inference.prediction_loop import PredictionRoutes
from service.api.openapi.document import Documents
from service.api.openapi.documented_access import DocumentedAccess
from service.api.request_limits import Limits
from service.api.routes.admin import admin_routes
from service.api.routes.classify import classify_routes
from service.api.routes.drift import drift_routes
from service.api.routes.feedback import feedback_routes
from service.api.routes.health import health_routes
from service.api.routes.models import model_routes
from service.api.routes.oip_inference import inference_v2_routes
from service.api.routes.oip_repository import repository_v2_routes
from service.api.routes.oip_server import server_v2_routes
from service.api.routes.oip_statistics import statistics_v2_routes
from service.api.routes.openapi_document import openapi_routes
from service.api.routes.overview import overview_routes
from service.api.routes.page import Page, page_routes
from service.api.routes.predict import predict_routes
from service.api.routes.request_code import code_routes
from service.api.routes.rollouts import rollout_routes
from service.api.routes.root import root_routes
from service.api.routes.unsupported import unsupported_routes
from service.api.validation.file_inputs import FilePreparation
from service.events.event_log import event_log_of
from service.monitoring.drift.drift_monitor import DriftMonitor
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.trace_export import recorder_of
from service.repository.model_source import model_source
from service.repository.object_store.origin import METRICS, OWN
from service.rollout.rollout_watch import RolloutWatch
from service.rollout.shared_rollouts import shared_rollouts_of
from service.runtime.admission_control import Admission
from service.runtime.lifecycle import Lifecycle
from service.runtime.loader import Loader
from service.runtime.servable import Servable
from service.runtime.stuck_predictions import StuckWatch
from service.runtime.worker_agreement import WorkerGroup
from service.settings.process_settings import process_settings
from service.settings.settings import Settings
from service.settings.usable_cores import usable_cores


@dataclass(frozen=True, slots=True)
class Predictions:
    """What an event loop needs to answer predictions.

    Attributes:
        routes: the paths of predictions.
        pipeline: how they are answered.
        observer: sees requests begin and end.
        access: checks who asks for predictions.
        route_access: checks who asks for anything else.
    """

    routes: PredictionRoutes
    pipeline: InferencePipeline
    observer: RequestObserver
    access: AccessControl | None = None
    route_access: RouteAccess | None = None


class _Json(DefaultJSONProvider):
    """Keeps the order of keys that the routes chose, and characters beyond ASCII."""

    sort_keys = False
    ensure_ascii = False

    def dumps(self, obj: Any, **options: Any) -> str:
        """Return ``obj`` as JSON; lone surrogates, as in names of files in bytes, are escaped."""
        return super().dumps(obj, **options).encode(errors="backslashreplace").decode()


class _Application(Flask):
    """Answers who offers to upgrade to web sockets as usual (RFC 9110, 7.8): it has none."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds routes; Werkzeug would look for one of web sockets, and refuse."""
        if request is not None:
            request.environ.pop("HTTP_UPGRADE", None)
        return super().create_url_adapter(request)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application, with its lifecycle as ``app.extensions["lifecycle"]``.

    Its metrics are ``app.extensions["metrics"]``; what an event loop needs to answer predictions
    itself is ``app.extensions["predictions"]``; ``app.extensions["traces"]`` exports traces, and is
    ``None`` unless OpenTelemetry's environment variables ask for that.

    The host of the application calls the lifecycle's ``start`` in each worker process, after any
    fork, and its ``stop`` when the process ends; until then no model is loaded.

    Args:
        settings: read from the environment unless given.

    Raises:
        SettingError: an environment variable does not hold what its setting takes.
    """
    settings = settings or process_settings()
    store = model_source(settings)
    # Of the mirror, where the folder of models is one of an object store.
    metrics = Metrics(
        None if store.records is None else store.records / OWN / METRICS, replica=settings.replica
    )
    watch = StuckWatch(
        metrics,
        settings.workers_folder,
        replace_after_s=settings.stuck_exit_s,
        pause_s=settings.load_wait_s,
    )
    drift = None
    if settings.drift:
        drift = DriftMonitor(
            metrics, settings.workers_folder, minimum_effect=settings.drift_minimum_effect
        )
    group = WorkerGroup(settings.workers_folder)
    cores = max(1, usable_cores() // settings.workers)
    lifecycle = Lifecycle(
        store,
        group,
        Loader(
            partial(
                Servable,
                cores=cores,
                most_rows=settings.max_batch_rows,
                metrics=metrics,
                timeout_s=settings.timeout_s,
                drift=drift,
            ),
            metrics,
            watch.add,
            step_timeout_s=settings.load_timeout_s,
        ),
        metrics,
        poll_interval_s=settings.poll_interval_s,
        quiet_s=settings.quiet_s,
        load_wait_s=settings.load_wait_s,
    )
    app = _Application(__name__, static_folder=None)
    app.json = _Json(app)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["lifecycle"] = lifecycle
    app.extensions["store"] = store
    app.extensions["metrics"] = metrics
    app.extensions["drift"] = drift
    recorder = app.extensions["traces"] = recorder_of(os.environ)
    observer = RequestObserver(
        metrics,
        access_log=settings.access_log,
        cross_origin=CrossOrigin(settings.cors_origins),
        proxies=TrustedProxies(settings.trusted_proxies),
        recorder=recorder,
    )
    access = access_of(settings, metrics)
    if settings.keys_file is not None:
        lifecycle.accompany(IdleKeyCheck(access.follow_keys, settings.poll_interval_s))
    route_access = RouteAccess(app, access)
    install_hooks(app, observer, route_access)
    configure_urls(app)
    limits = Limits.from_settings(settings)
    admission = Admission(per_model=limits.max_queue)
    events = event_log_of(settings, metrics)
    if events is not None:
        lifecycle.observe_policies(events.follow_policy)
    app.extensions["events"] = events
    rollouts = RolloutWatch(
        lifecycle,
        store,
        metrics,
        lambda: group.folder,
        lambda: admission.is_idle,
        timeout_s=settings.timeout_s,
        cores=cores,
        look_s=min(1.0, settings.poll_interval_s),
        shared=shared_rollouts_of(events, settings.replica),
        events=events,
    )
    lifecycle.accompany(rollouts)
    app.extensions["rollouts"] = rollouts
    pipeline = InferencePipeline(
        lifecycle,
        admission,
        FilePreparation(limits),
        limits,
        events,
    )
    predict, infer = PredictCodecs(limits), InferCodecs(limits)
    classify = [ClassifyCodecs(method, limits) for method in Method]
    verbs: dict[str, CodecSelector] = {
        "predict": predict,
        **{codecs.method.name.lower(): codecs for codecs in classify},
    }
    app.extensions["predictions"] = Predictions(
        PredictionRoutes(verbs, infer), pipeline, observer, access, route_access
    )
    app.register_blueprint(predict_routes(pipeline, predict))
    for codecs in classify:
        app.register_blueprint(classify_routes(pipeline, codecs))
    app.register_blueprint(
        inference_v2_routes(pipeline, infer, lifecycle, limits, server_version=__version__)
    )
    app.register_blueprint(server_v2_routes(lifecycle, settings))
    app.register_blueprint(unsupported_routes(lifecycle))
    app.register_blueprint(repository_v2_routes(lifecycle, store, settings))
    app.register_blueprint(statistics_v2_routes(lifecycle, metrics))
    # Clients without a key for a model must not learn its name from errors.
    lifecycle.lists_known_models = not access.reads_need_keys
    named = list[str] if access.reads_need_keys else lifecycle.models
    page = Page(named) if settings.page else None
    app.register_blueprint(root_routes(named, page, version=__version__))
    if page is not None:
        app.register_blueprint(page_routes(page))
        app.register_blueprint(
            overview_routes(lifecycle, metrics, settings, events, version=__version__)
        )
        app.register_blueprint(code_routes(lifecycle, settings))
    app.register_blueprint(drift_routes(lifecycle, drift, events))
    app.register_blueprint(model_routes(lifecycle, events, replica=settings.replica))
    app.register_blueprint(feedback_routes(lifecycle, store, events, limits, access))
    app.register_blueprint(admin_routes(lifecycle, store, settings))
    app.register_blueprint(rollout_routes(lifecycle, store, settings, rollouts.problem))
    app.register_blueprint(health_routes(lifecycle, metrics, settings.tensorflow_serving_metrics))
    documents = Documents(
        lifecycle,
        lambda: list(app.url_map.iter_rules()),
        limits,
        version=__version__,
        access=DocumentedAccess(
            needs_keys=settings.keys_file is not None,
            reads_need_keys=access.reads_need_keys,
            checks_hosts=bool(access.hosts),
        ),
    )
    app.register_blueprint(openapi_routes(documents))
    return app
