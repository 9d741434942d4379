"""What the tests of routes share."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.savedmodels.affine import publish_affine
from tests.service.conftest import MakeApp

TOKEN = "sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def admin(make_app: MakeApp, tmp_path: Path) -> FlaskClient:
    """A client of a service with two versions of ``affine`` and the admin API."""
    for bias in (0.0, 1.0):
        publish_affine(tmp_path / "models", bias=bias)
    return make_app(admin_token=TOKEN).test_client()
