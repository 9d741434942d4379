"""The application: wires repository, runtime and routes. Nothing happens at import."""

import os
from functools import partial

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from service import __version__
from service.api.admin import admin_routes
from service.api.budget import BodyBudget
from service.api.classify import classify_routes
from service.api.exchange import Observer
from service.api.express import ExpressLane
from service.api.files import Files
from service.api.health import health_routes
from service.api.inference import Inference
from service.api.inference_v2 import InferV2, inference_v2_routes
from service.api.models import model_routes
from service.api.observe import observe
from service.api.openapi.document import Documents
from service.api.openapi.routes import openapi_routes
from service.api.predict import Predict, predict_routes
from service.api.repository_v2 import repository_v2_routes
from service.api.routing import one_spelling
from service.api.statistics_v2 import statistics_v2_routes
from service.metrics import Metrics
from service.repository.store import Store
from service.runtime.admission import Admission
from service.runtime.board import Board
from service.runtime.lifecycle import Lifecycle
from service.runtime.loading import Loader
from service.runtime.servable import Servable
from service.runtime.stuck import StuckWatch
from service.settings import Settings, usable_cores

# Of a worker's threads, the share that predictions may hold; the rest are for health, metrics
# and refusals, and for clients that are still sending.
_BUSY_THREADS = 0.75


class _Json(DefaultJSONProvider):
    """Keeps the order that the routes chose, and text as it is."""

    sort_keys = False
    ensure_ascii = False


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application, with its lifecycle as ``app.extensions["lifecycle"]``.

    Its metrics are ``app.extensions["metrics"]``, for what the host may add to them.

    Whoever hosts the application calls the lifecycle's ``start`` in each worker process, after
    any fork, and its ``stop`` when the process ends; until then no model is loaded.

    Args:
        settings: read from the environment unless given.

    Raises:
        SettingError: an environment variable does not hold what its setting takes.
    """
    settings = settings or Settings.from_environ(os.environ)
    metrics = Metrics()
    store = Store(settings.models)
    watch = StuckWatch(
        metrics,
        settings.board,
        replace_after_s=settings.stuck_exit_s,
        pause_s=settings.load_wait_s,
    )
    lifecycle = Lifecycle(
        store,
        Board(settings.board),
        Loader(
            partial(
                Servable,
                cores=max(1, usable_cores() // settings.workers),
                most_rows=settings.max_batch_rows,
                metrics=metrics,
                timeout_s=settings.timeout_s,
            ),
            metrics,
            watch.add,
        ),
        metrics,
        poll_interval_s=settings.poll_interval_s,
        quiet_s=settings.quiet_s,
    )
    app = Flask(__name__, static_folder=None)
    app.json = _Json(app)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["lifecycle"] = lifecycle
    app.extensions["metrics"] = metrics
    observer = Observer(
        metrics, BodyBudget(settings.max_bodies_bytes), access_log=settings.access_log
    )
    observe(app, observer)
    one_spelling(app)
    bounds = {"max_rows": settings.max_rows, "max_errors": settings.max_errors}
    inference = Inference(
        lifecycle,
        _admission(settings),
        metrics,
        Files(most_pixels=settings.max_image_pixels, max_errors=settings.max_errors),
        timeout_s=settings.timeout_s,
        **bounds,
    )
    predict = Predict(inference, max_body_bytes=settings.max_body_bytes, **bounds)
    infer = InferV2(
        inference, max_errors=settings.max_errors, max_body_bytes=settings.max_body_bytes
    )
    app.register_blueprint(predict_routes(predict))
    app.register_blueprint(
        classify_routes(inference, max_body_bytes=settings.max_body_bytes, **bounds)
    )
    app.register_blueprint(inference_v2_routes(infer, lifecycle, server_version=__version__))
    app.register_blueprint(repository_v2_routes(lifecycle, store, settings))
    app.register_blueprint(statistics_v2_routes(lifecycle, metrics))
    app.register_blueprint(model_routes(lifecycle))
    app.register_blueprint(admin_routes(lifecycle, store, settings))
    app.register_blueprint(health_routes(lifecycle, metrics))
    documents = Documents(
        lifecycle,
        lambda: list(app.url_map.iter_rules()),
        version=__version__,
        max_rows=settings.max_rows,
    )
    app.register_blueprint(openapi_routes(documents))
    app.wsgi_app = ExpressLane(  # type: ignore[method-assign]
        app.wsgi_app, observer, predict=predict.answer, infer=infer.answer
    )
    return app


def _admission(settings: Settings) -> Admission:
    return Admission(
        per_model=settings.max_queue, overall=max(1, int(settings.threads * _BUSY_THREADS))
    )
