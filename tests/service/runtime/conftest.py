"""Lifecycles over a test's own folder of models."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lifecycles import Start, starting


@pytest.fixture
def make_lifecycle(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a lifecycle whose folder of models is ``tmp_path``."""
    with starting(tmp_path) as start:
        yield start
