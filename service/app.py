"""The application: wires repository, runtime and routes. Nothing happens at import."""

import os
from functools import partial

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from service.api.admin import admin_routes
from service.api.health import health_routes
from service.api.models import model_routes
from service.api.observe import observe
from service.api.predict import predict_routes
from service.api.routing import ModelNameConverter, VersionConverter
from service.metrics import Metrics
from service.repository.store import Store
from service.runtime.board import Board
from service.runtime.lifecycle import Lifecycle
from service.runtime.loading import Loader
from service.runtime.servable import Servable
from service.settings import Settings, usable_cores


class _Json(DefaultJSONProvider):
    """Keeps the order that the routes chose, and text as it is."""

    sort_keys = False
    ensure_ascii = False


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application, with its lifecycle as ``app.extensions["lifecycle"]``.

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
    lifecycle = Lifecycle(
        store,
        Board(settings.board),
        Loader(partial(Servable, cores=max(1, usable_cores() // settings.workers)), metrics),
        metrics,
        poll_interval_s=settings.poll_interval_s,
        quiet_s=settings.quiet_s,
    )
    app = Flask(__name__, static_folder=None)
    app.json = _Json(app)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.converters |= {"model": ModelNameConverter, "version": VersionConverter}
    app.url_map.strict_slashes = False
    app.extensions["lifecycle"] = lifecycle
    observe(app, metrics, settings)
    app.register_blueprint(predict_routes(lifecycle, metrics, max_errors=settings.max_errors))
    app.register_blueprint(model_routes(lifecycle))
    app.register_blueprint(admin_routes(lifecycle, store, settings.admin_token))
    app.register_blueprint(health_routes(lifecycle, metrics))
    return app
