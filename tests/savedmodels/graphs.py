"""SavedModels as TensorFlow 1 wrote them, and signatures that no exporter of today writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

v1 = tf.compat.v1

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

Tensors = dict[str, Any]
Signature = tuple[Tensors, Tensors, str]


def save_graph(directory: Path, build: Callable[[], dict[str, Signature]]) -> None:
    """Write a SavedModel of TensorFlow 1.

    Args:
        directory: the version's folder.
        build: makes the graph and returns its signatures: inputs, outputs, and method. A
            ``TensorInfo`` stands for itself.
    """
    config = v1.ConfigProto(allow_soft_placement=True)
    with tf.Graph().as_default(), v1.Session(config=config) as session:
        signatures = {
            name: v1.saved_model.build_signature_def(_infos(inputs), _infos(outputs), method)
            for name, (inputs, outputs, method) in build().items()
        }
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(session, [tf.saved_model.SERVING])
        builder.save()

    def describe(meta_graph: Any) -> None:
        # Here, since the builder would refuse what others' SavedModels have all the same.
        for name, definition in signatures.items():
            meta_graph.signature_def[name].CopyFrom(definition)

    edit_meta_graph(directory, describe)


def edit_meta_graph(directory: Path, change: Callable[[Any], None]) -> None:
    """Change a written SavedModel's ``MetaGraphDef``."""
    path = directory / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def no_shape(tensor: Any) -> Any:
    """Return a tensor's description without a word of its shape."""
    return meta_graph_pb2.TensorInfo(name=tensor.name, dtype=tensor.dtype.as_datatype_enum)


def _infos(tensors: Tensors) -> dict[str, Any]:
    return {
        name: each
        if isinstance(each, meta_graph_pb2.TensorInfo)
        else v1.saved_model.build_tensor_info(each)
        for name, each in tensors.items()
    }


def half_plus_two() -> dict[str, Signature]:
    """As tensorflow/serving's testdata/saved_model_half_plus_two.py: ``y = x / 2 + 2``."""
    serialized = v1.placeholder(tf.string, [None], name="tf_example")
    features = tf.io.parse_example(
        serialized,
        {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
        },
    )
    x = tf.identity(features["x"], name="x")
    a, b, c = (v1.get_variable(n, initializer=i) for n, i in (("a", 0.5), ("b", 2.0), ("c", 3.0)))
    y, y2 = tf.add(a * x, b, name="y"), tf.add(a * x, c, name="y2")
    x2 = tf.identity(features["x2"], name="x2")
    y3 = tf.add(a * x2, c, name="y3")
    # Its description of the messages says nothing of their shape.
    examples = {"inputs": no_shape(serialized)}
    return {
        "serving_default": ({"x": x}, {"y": y}, PREDICT),
        "regress_x_to_y": (examples, {"outputs": y}, REGRESS),
        "regress_x_to_y2": (examples, {"outputs": y2}, REGRESS),
        "regress_x2_to_y3": ({"inputs": x2}, {"outputs": y3}, REGRESS),
        "classify_x_to_y": (examples, {"scores": y}, CLASSIFY),
        "classify_x2_to_y3": ({"inputs": x2}, {"scores": y3}, CLASSIFY),
    }


def half_plus_three_without_shapes() -> dict[str, Signature]:
    """``y = x / 2 + 3``, of which nobody says what shape it has."""
    x = v1.placeholder(tf.float32, None, name="x")
    y = 0.5 * x + 3.0
    return {"serving_default": ({"x": no_shape(x)}, {"y": no_shape(y)}, PREDICT)}


class HalfPlusTwo2(tf.Module):
    """The same by TensorFlow 2, whose signatures are all of method "predict"."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = tf.Variable(0.5), tf.Variable(2.0), tf.Variable(3.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def predict(self, x):
        return {"y": self.a * x + self.b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress_x_to_y(self, inputs):
        return {"outputs": self._half(inputs, "x") + self.b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify_x_to_y(self, inputs):
        return {"scores": self._half(inputs, "x") + self.b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify_texts(self, inputs):
        """Whose strings are texts, and no messages."""
        size = tf.cast(tf.strings.length(inputs), tf.float32)
        return {"scores": tf.stack([size, -size], axis=1)}

    @tf.function
    def _half(self, serialized, name):
        # Within a function of its own, and behind what leaves messages as they are.
        flat = tf.reshape(tf.identity(serialized), [-1])
        spec = {name: tf.io.FixedLenFeature([1], tf.float32)}
        return self.a * tf.io.parse_example(flat, spec)[name]
