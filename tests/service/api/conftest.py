"""Applications that several modules of these tests ask."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.savedmodels import publish_affine, publish_scores, save_shapes
from tests.service.conftest import served


@pytest.fixture(scope="module", params=["express", "flask"])
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
