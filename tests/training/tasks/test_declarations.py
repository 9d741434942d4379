"""What tasks declare of studies and tunings fits the networks that it is about."""

import importlib
from typing import Any

import pytest

from training import config, tasks
from training.search import Range

_SETTINGS = {"learning_rate", "batch_size"}


def network(name: str, arch: str) -> Any:
    return importlib.import_module(f"training.tasks.{name}")._NETWORKS[arch]


@pytest.mark.parametrize("name", [n for n in tasks.names() if tasks.get(n).study])
def test_studies(name: str) -> None:
    study = tasks.get(name).study
    assert study is not None
    variants = study.variants.values()
    for variant in variants:
        config.with_hyperparameters(network(name, study.arch), variant.hyperparameters)
    assert any(variant.patience for variant in variants)
    for held_back in ({"l2"}, {"dropout"}, {"l2", "dropout"}):
        assert any(held_back <= variant.hyperparameters.keys() for variant in variants)


@pytest.mark.parametrize(
    ("name", "arch"),
    [(n, a) for n in tasks.names() for a, d in tasks.get(n).architectures.items() if d.search],
)
def test_searches(name: str, arch: str) -> None:
    """The architecture's own settings are within the space: tuning can come to nothing worse."""
    architecture = tasks.get(name).architectures[arch]
    assert architecture.search is not None
    own = network(name, arch)
    config.with_hyperparameters(own, architecture.search.cheaper)
    for key, space in architecture.search.space.items():
        value = getattr(architecture if key in _SETTINGS else own, key)
        if isinstance(space, Range):
            assert space.low <= value <= space.high, key
        else:
            assert value in space.options, key
