"""SavedModels of many small functions, written once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from service.repository.row_independence import Proof, prove_independence
from tests.service.repository.row_independence.graph_cases import COUNTER, TABLE, VARIABLE
from tests.service.repository.row_independence.keeping_cases import KEEPING, UNPROVED
from tests.service.repository.row_independence.mixing_cases import MIXING

Function = Callable[..., Any]


@pytest.fixture(scope="session")
def functions() -> Mapping[str, Function]:
    """The traced functions of the graph cases, by name."""
    found = {}
    for cases in (KEEPING, MIXING, UNPROVED):
        for name, case in cases.items():
            traced = tf.function(
                lambda *tensors, case=case: {"out": case.function(*tensors)},
                input_signature=case.specs,
                autograph=False,
            )
            assert name not in found, name
            found[name] = traced.get_concrete_function()
    return found


@pytest.fixture(scope="session")
def proofs(
    functions: Mapping[str, Function], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Proof]:
    """What is proved of each function of the graph cases."""
    module = tf.Module()
    module.tracked = [VARIABLE, COUNTER, TABLE]
    folder: Path = tmp_path_factory.mktemp("graph_cases") / "1"
    tf.saved_model.save(module, str(folder), signatures=dict(functions))
    return prove_independence(folder)
