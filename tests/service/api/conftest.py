"""Applications that several modules of these tests ask."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.app import create_app
from service.repository.model_store import Store
from service.settings.settings import Settings
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import publish_kinds, publish_scores
from tests.savedmodels.dtypes import publish_types
from tests.savedmodels.shapes import save_shapes
from tests.service.api.bad_requests import MAX_ERRORS, MAX_ROWS
from tests.service.conftest import served


@pytest.fixture(scope="module", params=["loop", "flask"])
def v2(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    """A client of ``affine``, ``scores`` and the foreign ``shapes`` that is told three problems at most."""
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_scores(root)
    save_shapes(root / "shapes" / "1")
    with served(root, request.param, max_body_bytes=100_000, max_errors=3) as client:
        yield client


@pytest.fixture(scope="module")
def everything(
    tmp_path_factory: pytest.TempPathFactory, repository_root: Path
) -> Iterator[FlaskClient]:
    """A client of toys of every kind and of this repository's models, with small bounds."""
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_kinds(root)
    publish_types(root)
    save_shapes(root / "shapes" / "1")
    ours = Store(repository_root / "saved_models")
    for model in ours.models():
        version, folder = max(ours.versions(model).items())
        shutil.copytree(folder, root / model / str(version))
    app = create_app(
        Settings(
            models=root,
            quiet_s=0.0,
            workers=1,
            max_body_bytes=200_000,
            max_rows=MAX_ROWS,
            max_errors=MAX_ERRORS,
        )
    )
    lifecycle = app.extensions["lifecycle"]
    lifecycle.start()
    assert lifecycle.wait_until_settled(120)
    yield app.test_client()
    lifecycle.stop()
