"""What signatures share: a variable that one assigns is not the same for all rows of another."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from service.repository.row_independence import Proof, prove_independence

NUMBERS = tf.TensorSpec([None], tf.int64, name="x")


class Sharing(tf.Module):
    """Signatures that read state, some of which ``serving_default`` or another of them changes."""

    def __init__(self) -> None:
        self.assigned = tf.Variable([1, 2, 3], dtype=tf.int64)
        self.assigned_deep = tf.Variable(1, dtype=tf.int64)
        self.assigned_in_loop = tf.Variable(1, dtype=tf.int64)
        self.assigned_in_branch = tf.Variable(1, dtype=tf.int64)
        self.scattered = tf.Variable([1, 2, 3], dtype=tf.int64)
        self.constant = tf.Variable([1, 2, 3], dtype=tf.int64)
        self.trained = tf.Variable(1, dtype=tf.int64)
        self.filled = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
        self.unfilled = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
        self.words = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant([1, 2], tf.int64), tf.constant([3, 4], tf.int64)
            ),
            -1,
        )

    @tf.function
    def deeper(self, x: tf.Tensor) -> tf.Tensor:
        self.assigned_deep.assign(x[0])
        return x

    def change(self, x: tf.Tensor) -> tf.Tensor:
        self.assigned.assign(tf.fill([3], x[0]))
        self.filled.insert(tf.zeros_like(x), x)
        return x

    def change_within(self, x: tf.Tensor) -> tf.Tensor:
        self.scattered.scatter_nd_update([[0]], [self.constant[0]])
        for _ in tf.range(3):
            self.assigned_in_loop.assign_add(1)
        tf.cond(
            x[0] > 1,
            lambda: self.assigned_in_branch.assign(2),
            lambda: self.assigned_in_branch.read_value(),
        )
        return self.deeper(x)

    @tf.function(input_signature=[])
    def train(self) -> tf.Tensor:
        """No signature: nothing calls it."""
        return self.trained.assign_add(1)

    @tf.function
    def read_deep(self, x: tf.Tensor) -> tf.Tensor:
        return x + self.assigned_deep


MODULE = Sharing()
CHANGED: Mapping[str, Callable[..., Any]] = {
    "read": lambda x: x + MODULE.assigned[0],
    "gather": lambda x: tf.gather(MODULE.assigned, x),
    "branch": lambda x: tf.cond(MODULE.assigned[0] > 5, lambda: x + 1, lambda: x),
    "in_branch": lambda x: tf.cond(
        MODULE.constant[0] > 5, lambda: x + MODULE.assigned[1], lambda: x
    ),
    "loop": lambda x: tf.while_loop(
        lambda i, y: i < 2, lambda i, y: (i + 1, y + MODULE.assigned[0]), [0, x]
    )[1],
    "loop_as_long": lambda x: tf.while_loop(
        lambda i, y: i < MODULE.assigned[0],
        lambda i, y: (i + 1, y * 2),
        [tf.constant(0, tf.int64), x],
    )[1],
    "map": lambda x: tf.map_fn(lambda row: row + MODULE.assigned[0], x),
    "table": lambda x: MODULE.filled.lookup(x),
    "table_size": lambda x: x + tf.reshape(MODULE.filled.size(), []),
    "deep": lambda x: MODULE.read_deep(x),
    "assigned_in_loop": lambda x: x + MODULE.assigned_in_loop,
    "assigned_in_branch": lambda x: x + MODULE.assigned_in_branch,
    "scattered": lambda x: x + MODULE.scattered[0],
}
CONSTANT: Mapping[str, Callable[..., Any]] = {
    "nothing": lambda x: x + 1,
    "constant_variable": lambda x: x + MODULE.constant[0],
    "gather_constant": lambda x: tf.gather(MODULE.constant, x),
    "assigned_by_no_signature": lambda x: x + MODULE.trained,
    "initialised_table": lambda x: MODULE.words.lookup(x),
    "table_that_nobody_fills": lambda x: MODULE.unfilled.lookup(x),
}


def signature(function: Callable[..., Any]) -> Any:
    return tf.function(lambda x: {"y": function(x)}, input_signature=[NUMBERS])


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Proof]:
    folder: Path = tmp_path_factory.mktemp("sharing") / "1"
    functions = {
        "serving_default": MODULE.change,
        "within": MODULE.change_within,
        **CHANGED,
        **CONSTANT,
    }
    traced = {name: signature(function) for name, function in functions.items()}
    tf.saved_model.save(MODULE, str(folder), signatures=traced)
    return prove_independence(folder)


@pytest.mark.parametrize("name", CHANGED)
def test_state_that_another_signature_changes_is_not_the_same_for_all_rows(
    proofs: Mapping[str, Proof], name: str
) -> None:
    assert not proofs[name].holds
    assert not proofs[name].inputs_apart
    assert "a variable or a table that signature" in proofs[name].reason


@pytest.mark.parametrize("name", CONSTANT)
def test_state_that_no_request_changes_is_the_same_for_all_rows(
    proofs: Mapping[str, Proof], name: str
) -> None:
    assert proofs[name].holds, proofs[name].reason


def test_those_that_change_state_are_not_proved(proofs: Mapping[str, Proof]) -> None:
    assert not proofs["serving_default"].holds
    assert not proofs["within"].holds
