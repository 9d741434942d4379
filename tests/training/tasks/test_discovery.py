"""Tasks are found by looking into their folder."""

import pytest

from tests.fresh_python import run_script
from training import tasks
from training.errors import UsageError


def test_the_models_are_found() -> None:
    assert tasks.task_names() == ["clothing", "digits", "mpg", "sentiment"]


@pytest.mark.parametrize("name", tasks.task_names())
def test_a_task_is_named_as_its_module_and_has_a_default_architecture(name: str) -> None:
    task = tasks.get(name)
    assert task.name == name
    assert "default" in task.architectures
    assert task.kind in ("classification", "regression")


def test_an_unknown_model() -> None:
    with pytest.raises(UsageError, match="There is no model 'shoes' to train"):
        tasks.get("shoes")


def test_no_garbage_is_looked_for_in_what_a_task_brings() -> None:
    script = """
import gc
from training import tasks

tasks.get("sentiment")
print(gc.get_stats()[2]["collections"], gc.get_freeze_count() > 100_000, gc.isenabled())
"""
    assert run_script(script) == "0 True True\n"
