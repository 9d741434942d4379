"""An application with models, in this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from a2wsgi import ASGIMiddleware
from flask import Flask
from flask.testing import FlaskClient

from service.app import create_app
from service.asgi import Application
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.plain import publish_plain_bodies
from tests.savedmodels.shapes import save_shapes

MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session", autouse=True)
def _boundaries_of_forms() -> Iterator[None]:
    """Keep the test client's boundaries within RFC 2046's 70 characters, which the service holds to.

    They end in a random number, which now and then has one digit too many.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("werkzeug.test.random", lambda: 0.5)
        yield


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    """Return a function that starts an application; its models are in ``tmp_path / "models"``."""
    started: list[Lifecycle] = []

    def make(**settings: object) -> Flask:
        values = {
            "models": tmp_path / "models",
            "poll_interval_s": 0.1,
            "quiet_s": 0.0,
            "workers": 1,
        }
        app = on_loop(Settings(**{**values, **settings}))
        app.testing = False
        lifecycle = app.extensions["lifecycle"]
        lifecycle.start()
        started.append(lifecycle)
        assert lifecycle.wait_until_settled(60)
        return app

    yield make
    for lifecycle in started:
        lifecycle.stop()


def on_loop(settings: Settings) -> Flask:
    """Return an application whose requests go through ``service.asgi``, on a loop of their own."""
    app = create_app(settings)
    application = Application(app, settings)
    in_loop = ASGIMiddleware(application)

    def whole(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        # An answer that a test does not read would leave its task waiting on the loop for ever.
        return list(in_loop(environ, start_response))

    app.wsgi_app = whole  # type: ignore[method-assign]
    return app


@contextmanager
def served(root: Path, lane: str, **settings: object) -> Iterator[FlaskClient]:
    """Serve the models in ``root``; predictions are answered on the "loop", or by Flask's routes."""
    values = Settings(models=root, quiet_s=0.0, workers=1, **settings)
    app = on_loop(values) if lane == "loop" else create_app(values)
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    assert lifecycle.wait_until_settled(60)
    yield app.test_client()
    lifecycle.stop()


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    """A client of an application with ``affine`` (versions 1 and 2, from its card) and the foreign ``shapes``.

    Predictions are answered on the loop in one round, and Flask's route in the other.
    """
    root = tmp_path_factory.mktemp("models")
    publish_affine(root, bias=0.0)
    publish_affine(root, bias=1.0)
    (root / "affine" / "policy.json").write_text(
        '{"serve": {"latest": 2}, "labels": {"stable": 1, "gone": 9}}'
    )
    save_shapes(root / "shapes" / "1")
    with served(root, request.param, max_body_bytes=100_000) as client:
        yield client


@pytest.fixture(scope="session")
def plain_bodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models ``album``, ``echo`` and ``cars``."""
    root = tmp_path_factory.mktemp("plain_bodies")
    publish_plain_bodies(root)
    return root


@pytest.fixture(scope="module", params=["loop", "flask"])
def plain(plain_bodies: Path, request: pytest.FixtureRequest) -> Iterator[FlaskClient]:
    """A client of ``plain_bodies`` with small bounds of pixels, bytes and rows."""
    with served(
        plain_bodies,
        request.param,
        max_body_bytes=1_000_000,
        max_image_pixels=10_000,
        max_rows=100,
    ) as client:
        yield client
