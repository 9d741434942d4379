"""SavedModels of many small functions, written once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from service.repository.independence import Proof, prove_independence
from tests.service.repository.independence import zoo

Function = Callable[..., Any]


@pytest.fixture(scope="session")
def functions() -> Mapping[str, Function]:
    """The traced functions of the zoo, by name."""
    found = {}
    for animals in (zoo.KEEPING, zoo.MIXING, zoo.UNPROVED):
        for name, animal in animals.items():
            traced = tf.function(
                lambda *tensors, animal=animal: {"out": animal.function(*tensors)},
                input_signature=animal.specs,
            )
            assert name not in found, name
            found[name] = traced.get_concrete_function()
    return found


@pytest.fixture(scope="session")
def proofs(
    functions: Mapping[str, Function], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Proof]:
    """What is proved of each function of the zoo."""
    module = tf.Module()
    module.tracked = [zoo.VARIABLE, zoo.COUNTER, zoo.TABLE]
    folder: Path = tmp_path_factory.mktemp("zoo") / "1"
    tf.saved_model.save(module, str(folder), signatures=dict(functions))
    return prove_independence(folder)
