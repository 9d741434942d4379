"""What tasks declare of studies and tunings fits the networks that it is about."""

import pytest

from training import tasks
from training.fitting import config
from training.tasks.search_space import Range


@pytest.mark.parametrize("name", [n for n in tasks.task_names() if tasks.get(n).study])
def test_studies(name: str) -> None:
    study = tasks.get(name).study
    assert study is not None
    variants = study.variants.values()
    for variant in variants:
        config.with_hyperparameters(tasks.get(name).networks[study.arch], variant.hyperparameters)
    assert any(variant.patience for variant in variants)
    for held_back in ({"l2"}, {"dropout"}, {"l2", "dropout"}):
        assert any(held_back <= variant.hyperparameters.keys() for variant in variants)


@pytest.mark.parametrize(
    ("name", "arch"),
    [(n, a) for n in tasks.task_names() for a, d in tasks.get(n).architectures.items() if d.search],
)
def test_searches(name: str, arch: str) -> None:
    """The architecture's own settings are within the space: tuning can come to nothing worse."""
    task = tasks.get(name)
    search = task.architectures[arch].search
    assert search is not None
    config.with_hyperparameters(task.networks[arch], search.cheaper)
    defaults = task.default_hyperparameters(arch)
    for key, space in search.space.items():
        value = defaults[key]
        if isinstance(space, Range):
            assert space.low <= value <= space.high, key
        else:
            assert value in space.options, key
