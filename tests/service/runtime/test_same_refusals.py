"""Which versions refuse alike: ``:classify`` and ``:regress`` go by more than the contract."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.runtime.same_refusals import have_same_refusals
from service.runtime.servable import Servable
from tests.lifecycles import load_servable
from tests.savedmodels.classes import KINDS_CONTRACT, publish_kinds

PREDICT, REGRESS = "tensorflow/serving/predict", "tensorflow/serving/regress"


def version(method: str = PREDICT, *, parses: bool = False, task: str = "regression") -> Servable:
    """Return as much of a version as matters here; no trainer of today writes other methods."""
    found = SimpleNamespace(
        contract=KINDS_CONTRACT,
        signature_def={name: {"method_name": method} for name in KINDS_CONTRACT},
        parses_examples=lambda name: parses,
        card=SimpleNamespace(task=task) if task else None,
    )
    return cast(Servable, found)


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ({}, True),
        ({"method": REGRESS}, False),
        ({"parses": True}, False),
        ({"task": "classification"}, False),
        ({"task": ""}, False),
    ],
)
def test_what_decides_beside_the_contract(other: dict[str, Any], alike: bool) -> None:
    assert have_same_refusals(version(), version(**other)) is alike


def test_tasks_that_regress_alike() -> None:
    assert have_same_refusals(version(task="classification"), version(task=""))


def test_versions_as_they_are_loaded(tmp_path: Path) -> None:
    for task in ("regression", "regression", "classification"):
        publish_kinds(tmp_path, task=task)
    one, same, other = (load_servable(tmp_path / "kinds" / number) for number in "123")
    assert have_same_refusals(one, same)
    assert not have_same_refusals(one, other)
