"""Odd signatures: those that serve all the same, and those that cannot."""

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tests.savedmodels.graphs import PREDICT, Signature, Tensors, no_shape, v1

_FLOAT = 1


def named(name: str, dtype: int = _FLOAT, shape: tuple[int, ...] | None = (-1,)) -> object:
    """Return a description of a tensor that the graph need not have."""
    info = meta_graph_pb2.TensorInfo(name=name, dtype=dtype)
    if shape is not None:
        info.tensor_shape.SetInParent()
        for size in shape:
            info.tensor_shape.dim.add(size=size)
    return info


def odd_signatures() -> dict[str, Signature]:
    """Return signatures that should serve; each takes ``x`` float32 [N] unless it says otherwise."""
    x = v1.placeholder(tf.float32, [None], name="x")
    y = tf.add(x, 1.0, name="y")
    scale = v1.placeholder(tf.float32, [None], name="scale")
    scalar = v1.placeholder(tf.float32, [], name="scalar")
    anything = v1.placeholder(tf.float32, None, name="anything")
    text = v1.placeholder(tf.string, [None], name="text")
    column = v1.placeholder(tf.float32, [None, 1], name="column")
    deep = v1.placeholder(tf.float32, [None, 1, 1], name="deep")
    texts = v1.placeholder(tf.string, [None, 1], name="texts")
    reference = v1.get_variable("reference", initializer=[7.0, 8.0], use_resource=False)
    with tf.device("/device:GPU:0"):
        on_gpu = tf.matmul(column, [[3.0]])

    @tf.function
    def pinned(value):
        with tf.device("/device:GPU:3"):
            return value * 2.0 + tf.reduce_sum(tf.ones([1]))

    wide = v1.placeholder(tf.float32, [None, 2**30], name="wide")
    two = v1.placeholder(tf.float32, [2], name="two")
    pairs = v1.placeholder(tf.float32, [2, 3], name="pairs")
    plain: Tensors = {"y": y}
    return {
        "serving_default": ({"x": x}, plain, PREDICT),
        "alias": ({"x": x}, {"same": x}, PREDICT),
        "alias_and_more": ({"x": x}, {"same": x, "y": y}, PREDICT),
        "alias_of_text": ({"text": text}, {"same": text}, PREDICT),
        "twin_inputs": ({"a": x, "b": x}, plain, PREDICT),
        "twin_outputs": ({"x": x}, {"a": y, "b": y, "c": x, "d": x}, PREDICT),
        "without_colon": ({"x": named("x")}, {"y": named("y")}, PREDICT),
        "on_gpu": ({"column": column}, {"y": on_gpu}, PREDICT),
        "function_on_gpu": ({"x": x}, {"y": pinned(x)}, PREDICT),
        "reference": ({"x": x}, {"y": reference}, PREDICT),
        "default": ({"x": x, "scale": scale}, {"y": x * scale}, PREDICT),
        "default_of_three": ({"x": x, "scale": scale}, {"y": x * scale}, PREDICT),
        "default_scalar": ({"x": x, "scale": scalar}, {"y": x * scalar}, PREDICT),
        "default_anything": (
            {"x": x, "scale": no_shape(anything)},
            {"y": no_shape(x * anything)},
            PREDICT,
        ),
        "default_text": ({"x": x, "text": text}, {"y": y, "said": text + "!"}, PREDICT),
        "defaults_alone": ({"scale": scale}, {"y": scale * 2.0}, PREDICT),
        "no_inputs": ({}, {"y": reference + 1.0}, PREDICT),
        "columns": ({"column": column, "x": x}, {"y": column * 2.0, "x": x + 1.0}, PREDICT),
        "two_columns": ({"a": column, "b": deep}, {"y": column + deep[:, 0]}, PREDICT),
        "deep": ({"deep": deep}, {"y": deep + 1.0}, PREDICT),
        "texts": ({"texts": texts}, {"loud": tf.strings.upper(texts)}, PREDICT),
        "b64": ({"b64": text}, {"said": text + "!"}, PREDICT),
        "instances": ({"instances": x, "inputs": x}, {"": y}, PREDICT),
        "": ({"x": x}, plain, PREDICT),
        "sl/ash é": ({"x": x}, plain, PREDICT),
        "no_method": ({"x": x}, plain, ""),
        "scalar": ({"scale": scalar}, {"y": scalar * 2.0}, PREDICT),
        "of_two": ({"two": two, "pairs": pairs}, {"y": two + pairs[:, 0]}, PREDICT),
        "wide": ({"wide": wide}, {"y": tf.shape(wide)[:1]}, PREDICT),
    }


def add_defaults(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Give the signatures whose names say so their defaults."""

    def give(name: str, key: str, value: object, dtype: tf.DType = tf.float32) -> None:
        proto = tf.make_tensor_proto(value, dtype)
        meta_graph.signature_def[name].defaults[key].CopyFrom(proto)

    give("default", "scale", [10.0])
    give("default_of_three", "scale", [1.0, 10.0, 100.0])
    give("default_scalar", "scale", 10.0)
    give("default_anything", "scale", 10.0)
    give("default_text", "text", [b"none\0"], tf.string)
    give("defaults_alone", "scale", [10.0])


def bad_signatures() -> tuple[dict[str, Signature], dict[str, str]]:
    """Return signatures that cannot be served, and how the reasons begin; and one that can."""
    x = v1.placeholder(tf.float32, [None], name="x")
    y = tf.add(x, 1.0, name="y")
    z = tf.complex(x, x)
    sparse = tf.sparse.from_dense(x)
    ragged = meta_graph_pb2.TensorInfo(dtype=_FLOAT)
    ragged.composite_tensor.type_spec.type_spec_class = 3
    resource = v1.get_variable("variable", initializer=1.0, use_resource=True).handle
    variant = tf.raw_ops.EmptyTensorList(
        element_shape=[2], max_num_elements=3, element_dtype=tf.float32
    )
    quantised = tf.quantization.quantize(x, 0.0, 1.0, tf.qint8)[0]
    nothing = meta_graph_pb2.TensorInfo()
    good = {"x": x}
    signatures: dict[str, Signature] = {
        "serving_default": (good, {"y": y}, PREDICT),
        "complex_output": (good, {"z": z}, PREDICT),
        "sparse": (good, {"s": v1.saved_model.build_tensor_info(sparse)}, PREDICT),
        "ragged": (good, {"r": ragged}, PREDICT),
        "resource": ({"handle": resource}, {"y": y}, PREDICT),
        "variant": (good, {"list": variant}, PREDICT),
        "quantised": (good, {"q": quantised}, PREDICT),
        "no_such_tensor": (good, {"y": named("nowhere:0")}, PREDICT),
        "no_such_output": (good, {"y": named("y:7")}, PREDICT),
        "no_such_input": ({"x": named("nowhere:0")}, {"y": y}, PREDICT),
        "no_name": (good, {"y": named("")}, PREDICT),
        "control": (good, {"y": named("^y")}, PREDICT),
        "unknown_dtype": (good, {"y": named("y:0", dtype=9999)}, PREDICT),
        "no_dtype": (good, {"y": named("y:0", dtype=0)}, PREDICT),
        "wrong_dtype": (good, {"y": named("y:0", dtype=3)}, PREDICT),
        "wrong_input_dtype": ({"x": named("x:0", dtype=9)}, {"y": y}, PREDICT),
        "nothing": (good, {"y": nothing}, PREDICT),
        "no_outputs": (good, {}, PREDICT),
        "wrong_default": (good, {"y": y}, PREDICT),
        "default_of_none": (good, {"y": y}, PREDICT),
        "default_of_shape": (good, {"y": y}, PREDICT),
        "broken_default": (good, {"y": y}, PREDICT),
    }
    reasons = {
        "complex_output": "Output 'z' is of dtype complex64",
        "sparse": "Output 's' is a sparse tensor",
        "ragged": "Output 'r' is a tensor of several parts",
        "resource": "Input 'handle' is of dtype resource",
        "variant": "Output 'list' is of dtype variant",
        "quantised": "Output 'q' is of dtype qint8",
        "no_such_tensor": "The graph has no tensor 'nowhere:0', which 'y' names",
        "no_such_output": "The graph has no tensor 'y:7', which 'y' names",
        "no_such_input": "The graph has no tensor 'nowhere:0', which 'x' names",
        "no_name": "Output 'y' does not name a tensor of the graph",
        "control": "The graph has no tensor '^y', which 'y' names",
        "unknown_dtype": "Output 'y' is of dtype number 9999",
        "no_dtype": "Output 'y' is of dtype invalid",
        "wrong_dtype": "It says that 'y' is int32, and the graph has float32",
        "wrong_input_dtype": "It says that 'x' is int64, and the graph has float32",
        "nothing": "Output 'y' does not name a tensor of the graph",
        "no_outputs": "It has no outputs",
        "wrong_default": "Input 'x' is float32, and its default int32",
        "default_of_none": "It has a default for 'z', which is not an input",
        "default_of_shape": "The default of 'x' is of shape [1, 1]",
        "broken_default": "The default of 'x' cannot be read",
    }
    return signatures, reasons


def add_bad_defaults(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Give the signatures of ``bad_signatures`` whose names say so their defaults."""

    def give(name: str, key: str, proto: object) -> None:
        meta_graph.signature_def[name].defaults[key].CopyFrom(proto)

    give("wrong_default", "x", tf.make_tensor_proto([1], tf.int32))
    give("default_of_none", "z", tf.make_tensor_proto([1.0]))
    give("default_of_shape", "x", tf.make_tensor_proto([[1.0]]))
    broken = tensor_pb2.TensorProto(dtype=_FLOAT, tensor_content=b"123")
    broken.tensor_shape.dim.add(size=2)
    give("broken_default", "x", broken)


def weighted() -> dict[str, Signature]:
    """Return a signature that doubles, in a function, and by a variable."""
    x = v1.placeholder(tf.float32, [None], name="x")
    weight = v1.get_variable("weight", initializer=1.0)

    @tf.function
    def twice(value):
        return value * 2.0

    return {"serving_default": ({"x": x}, {"y": twice(x) * weight}, PREDICT)}


def pin(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """Pin all nodes, also those of functions, to another machine of a cluster."""
    graph = meta_graph.graph_def
    for nodes in (graph.node, *(each.node_def for each in graph.library.function)):
        for node in nodes:
            node.device = "/job:worker/replica:0/task:3/device:GPU:1"
