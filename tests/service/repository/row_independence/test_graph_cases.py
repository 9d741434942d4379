"""What is proved of many small functions, held against what they really do."""

from collections.abc import Mapping
from typing import Any

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from service.repository.row_dependence_probe import neighbours_matter
from service.repository.row_independence import Proof
from tests.service.repository.row_independence.conftest import Function
from tests.service.repository.row_independence.graph_cases import GraphCase
from tests.service.repository.row_independence.keeping_cases import KEEPING, UNPROVED
from tests.service.repository.row_independence.mixing_cases import MIXING

# They change from call to call, or do what their outputs do not show.
_WITHOUT_ORACLE = {"counter", "counter_hidden", "print_all", "waits_for_sum"}
# They take serialised tf.train.Examples.
_PARSED = [
    KEEPING["parse"],
    UNPROVED["sparse_features"],
    UNPROVED["ragged_features"],
]
_DRAWS = hypothesis.settings(max_examples=3, deadline=None, database=None)


def values(spec: tf.TensorSpec, rows: int, random: np.random.Generator) -> Any:
    shape = [rows, *(4 if size is None else size for size in spec.shape[1:])]
    if spec.dtype == tf.string:
        words = np.array([b"a", b"b", b"A c", b"zz top", b""], dtype=object)
        return words[random.integers(len(words), size=shape)]
    if spec.dtype.is_integer:
        return random.integers(0, 4, size=shape).astype(spec.dtype.as_numpy_dtype)
    return random.normal(size=shape).astype(np.float32)


def what_neighbours_do(function: Function, case: GraphCase, rows: int, seed: int) -> str:
    """Ask the brute-force oracle; what a function refuses shows nothing."""
    random = np.random.default_rng(seed)
    inputs = {spec.name: values(spec, rows, random) for spec in case.specs}
    if any(case is each for each in _PARSED):
        inputs["x"] = np.array([_example(random) for _ in range(rows)], dtype=object)

    def run(tensors: Mapping[str, Any]) -> dict[str, Any]:
        given = [
            tf.constant(tensors[spec.name].tolist(), spec.dtype, tensors[spec.name].shape)
            for spec in case.specs
        ]
        return {name: tensor.numpy() for name, tensor in function(*given).items()}

    try:
        return neighbours_matter(run, inputs, absolute=1e-4, relative=1e-3)
    except (tf.errors.OpError, ValueError) as error:
        return f"refused: {error}"


def _example(random: np.random.Generator) -> bytes:
    floats = tf.train.FloatList(value=random.normal(size=2))
    feature = tf.train.Feature(float_list=floats)
    features = tf.train.Features(feature={"a": feature})
    return bytes(tf.train.Example(features=features).SerializeToString())


@pytest.mark.parametrize("name", KEEPING)
def test_independent_rows_are_proved(proofs: Mapping[str, Proof], name: str) -> None:
    assert proofs[name].holds, proofs[name].reason


@pytest.mark.parametrize("name", MIXING)
def test_mixed_rows_are_never_proved(proofs: Mapping[str, Proof], name: str) -> None:
    assert not proofs[name].holds
    assert proofs[name].reason.endswith(".")


@pytest.mark.parametrize("name", UNPROVED)
def test_what_is_not_followed_is_not_proved(proofs: Mapping[str, Proof], name: str) -> None:
    assert not proofs[name].holds


@pytest.mark.parametrize("name", [*KEEPING, *UNPROVED])
def test_the_cases_are_right_about_those_that_keep_rows_apart(
    functions: Mapping[str, Function], name: str
) -> None:
    case = {**KEEPING, **UNPROVED}[name]

    @_DRAWS
    @hypothesis.given(rows=st.integers(2, 6), seed=st.integers(0, 99))
    def check(rows: int, seed: int) -> None:
        assert what_neighbours_do(functions[name], case, rows, seed) == ""

    check()


@pytest.mark.parametrize("name", [name for name in MIXING if name not in _WITHOUT_ORACLE])
def test_the_cases_are_right_about_those_that_mix_them(
    functions: Mapping[str, Function], name: str
) -> None:
    found = [
        what_neighbours_do(functions[name], MIXING[name], rows, seed)
        for rows, seed in ((4, 0), (3, 1), (5, 2))
    ]
    assert any(found), name
