"""Which graphs are trusted to come to an end."""

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.python.framework import op_def_registry

from service.runtime.graphs.termination import is_bounded

_SPEC = tf.TensorSpec([None], tf.float32)


def _is_stateful(operation: str) -> bool | None:
    definition = op_def_registry.get(operation)
    return None if definition is None else bool(definition.is_stateful)


def _judge(function: Callable[[Any], Any]) -> bool:
    concrete = tf.function(function, input_signature=[_SPEC]).get_concrete_function()
    return is_bounded(concrete.graph.as_graph_def(), [concrete.outputs[0].name], _is_stateful)


def _table() -> Any:
    keys = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
    return tf.lookup.StaticHashTable(keys, 0.0)


_VARIABLE = tf.Variable([1.0])
_TABLE = _table()


@tf.function
def _inner(x: Any) -> Any:
    return tf.while_loop(lambda y: tf.reduce_max(y) < 9.0, lambda y: [y + 1.0], [x])[0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.nn.relu(x * 2.0),
        lambda x: x + _VARIABLE,
        lambda x: x + _TABLE.lookup(tf.strings.as_string(x)),
        lambda x: tf.cond(tf.reduce_max(x) > 0.0, lambda: x, lambda: -x),
        lambda x: tf.function(lambda y: y + 1.0)(x) + tf.random.uniform([]),
        lambda x: tf.strings.to_number(tf.strings.as_string(x)),
    ],
    ids=["arithmetic", "variable", "table", "branch", "call", "strings"],
)
def test_what_ends(function: Callable[[Any], Any]) -> None:
    assert _judge(function)


@pytest.mark.parametrize(
    "function",
    [
        _inner.python_function,
        lambda x: _inner(x) * 2.0,
        lambda x: tf.cond(tf.reduce_max(x) > 0.0, lambda: _inner(x), lambda: -x),
        lambda x: tf.map_fn(lambda y: y + 1.0, x),
        lambda x: tf.scan(lambda a, y: a + y, x),
        lambda x: tf.py_function(lambda y: y, [x], tf.float32),
        lambda x: tf.numpy_function(lambda y: y, [x], tf.float32),
        lambda x: tf.raw_ops.QueueDequeueV2(
            handle=tf.raw_ops.FIFOQueueV2(component_types=[tf.float32]),
            component_types=[tf.float32],
        )[0],
        lambda x: tf.data.Dataset.range(9).reduce(x, lambda a, _: a + 1.0),
    ],
    ids=["while", "in a call", "in a branch", "map", "scan", "Python", "numpy", "queue", "data"],
)
def test_what_may_not_end(function: Callable[[Any], Any]) -> None:
    assert not _judge(function)


def test_a_loop_beside_what_is_asked_for_does_not_matter() -> None:
    @tf.function(input_signature=[_SPEC])
    def both(x: Any) -> Any:
        return {"a": x * 2.0, "b": _inner(x)}

    concrete = both.get_concrete_function()
    graph = concrete.graph.as_graph_def()
    names = {key: tensor.name for key, tensor in concrete.structured_outputs.items()}
    assert is_bounded(graph, [names["a"]], _is_stateful)
    assert not is_bounded(graph, [names["b"]], _is_stateful)


def test_loops_of_older_graphs() -> None:
    with tf.Graph().as_default() as graph:
        tf.compat.v1.disable_control_flow_v2()
        try:
            end = tf.compat.v1.while_loop(lambda i: i < 9, lambda i: [i + 1], [tf.constant(0)])
        finally:
            tf.compat.v1.enable_control_flow_v2()
    assert not is_bounded(graph.as_graph_def(), [end.name], _is_stateful)


def test_operations_that_nobody_knows_and_functions_that_call_themselves() -> None:
    graph = tf.compat.v1.GraphDef()
    node = graph.node.add()
    node.name, node.op = "a", "Unheard"
    assert not is_bounded(graph, ["a:0"], _is_stateful)
    graph = tf.compat.v1.GraphDef()
    function = graph.library.function.add()
    function.signature.name = "again"
    inner = function.node_def.add()
    inner.name, inner.op = "x", "PartitionedCall"
    inner.attr["f"].func.name = "again"
    node = graph.node.add()
    node.name, node.op = "a", "PartitionedCall"
    node.attr["f"].func.name = "again"
    assert not is_bounded(graph, ["a:0"], _is_stateful)


def test_functions_that_call_one_another_very_deeply_are_not_trusted() -> None:
    graph = graph_pb2.GraphDef()
    for i in range(2000):
        function = graph.library.function.add()
        function.signature.name = f"f{i}"
        function.node_def.add(name="call", op=f"f{i + 1}")
    graph.node.add(name="y", op="f0")
    assert not is_bounded(graph, ["y:0"], _is_stateful)
