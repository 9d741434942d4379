"""Classifications and regressions, by contract or by signature."""

from pathlib import Path

import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.saving import card, publish, save, written_once


@written_once
def save_half_plus_three(directory: Path) -> None:
    """Write a model as TensorFlow Serving's own example of that name: ``y = x / 2 + 3``.

    Its signatures of kind "regress" and "classify" take serialised ``tf.train.Example`` messages,
    of feature ``x`` and, for labels, of ``name`` and ``count``.
    """
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        features = tf.io.parse_example(
            serialized,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "name": tf.io.FixedLenFeature([], tf.string, default_value="it"),
                "count": tf.io.FixedLenFeature([], tf.int64, default_value=0),
            },
        )
        slope = v1.get_variable("slope", initializer=0.5)
        direct = v1.placeholder(tf.float32, None, name="x")
        y = features["x"] * slope + 3.0
        counts = tf.strings.as_string(features["count"])
        classes = tf.stack(
            [features["name"] + " is small", counts + " " + features["name"]], axis=1
        )
        scores = tf.concat([1 - y / 8, y / 8], axis=1)
        session.run(v1.global_variables_initializer())
        info, define = v1.saved_model.build_tensor_info, v1.saved_model.build_signature_def
        examples = {"inputs": info(serialized)}
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            signature_def_map={
                "serving_default": define(
                    {"x": info(direct)},
                    {"y": info(direct * slope + 3.0)},
                    "tensorflow/serving/predict",
                ),
                "tensorflow/serving/regress": define(
                    examples, {"outputs": info(y)}, "tensorflow/serving/regress"
                ),
                "classify_x": define(
                    examples,
                    {"classes": info(classes), "scores": info(scores)},
                    "tensorflow/serving/classify",
                ),
                "scores_only": define(
                    examples, {"scores": info(scores)}, "tensorflow/serving/classify"
                ),
                "classes_only": define(
                    examples, {"classes": info(classes)}, "tensorflow/serving/classify"
                ),
                "two_columns": define(
                    examples, {"outputs": info(scores)}, "tensorflow/serving/regress"
                ),
            },
        )
        builder.save()


class Kinds(tf.Module):
    """A classification in three, one in two, the best class alone, and a regression of two."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2, 2], tf.float32, name="grid"),
            tf.TensorSpec([None], tf.float32, name="bonus"),
        ]
    )
    def of_three(self, grid, bonus):
        total = tf.reduce_sum(grid, axis=[1, 2]) + bonus
        logits = tf.stack([total, tf.zeros_like(total), -total], axis=1)
        labels = tf.constant(["much", "nil", "little"])
        return {
            "label": tf.gather(labels, tf.argmax(logits, axis=1)),
            "probabilities": tf.nn.softmax(logits),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def of_two(self, text):
        p = tf.minimum(tf.cast(tf.strings.length(text), tf.float32) / 8.0, 1.0)
        return {"label": tf.where(p > 0.5, "long", "short"), "probability": p}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def best(self, text):
        return {"label": tf.strings.upper(text), "confidence": 0.25 + 0.0 * self._size(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def bounds(self, x):
        return {"middle": x, "low": x - 1.0}

    @staticmethod
    def _size(text):
        return tf.cast(tf.strings.length(text), tf.float32)


KINDS_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(
            Field(name="grid", dtype="float32", shape=(None, 2, 2), maximum=9),
            Field(name="bonus", dtype="float32", shape=(None,)),
        ),
        outputs=(
            Field(name="label", dtype="string", shape=(None,), choices=("much", "nil", "little")),
            Field(name="probabilities", dtype="float32", shape=(None, 3)),
        ),
    ),
    "of_two": Signature(
        "of_two",
        inputs=(Field(name="text", dtype="string", shape=(None,), max_length=20),),
        outputs=(
            Field(name="label", dtype="string", shape=(None,), choices=("short", "long")),
            Field(name="probability", dtype="float32", shape=(None,), minimum=0, maximum=1),
        ),
    ),
    "best": Signature(
        "best",
        inputs=(Field(name="text", dtype="string", shape=(None,)),),
        outputs=(
            Field(name="label", dtype="string", shape=(None,)),
            Field(name="confidence", dtype="float32", shape=(None,), minimum=0, maximum=1),
        ),
    ),
    "bounds": Signature(
        "bounds",
        inputs=(Field(name="x", dtype="float32", shape=(None,)),),
        outputs=(
            Field(name="middle", dtype="float32", shape=(None,)),
            Field(name="low", dtype="float32", shape=(None,)),
        ),
    ),
}


def publish_kinds(root: Path, *, model: str = "kinds", task: str = "regression") -> int:
    """Publish ``Kinds`` as a trainer would, and return the version's number."""
    return publish(root, card(model, KINDS_CONTRACT, task=task), _save_kinds)


@written_once
def _save_kinds(directory: Path) -> None:
    kinds = Kinds()
    save(
        directory,
        kinds,
        serving_default=kinds.of_three,
        of_two=kinds.of_two,
        best=kinds.best,
        bounds=kinds.bounds,
    )


class Scores(tf.Module):
    """The scores of three classes, and the name of the highest."""

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def serve(self, x):
        return {
            "scores": x,
            "counts": tf.cast(x, tf.uint8),
            "label": tf.gather(["low", "middle", "high"], tf.argmax(x, axis=1)),
        }


SCORES_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(Field(name="x", dtype="float32", shape=(None, 3)),),
        outputs=(
            Field(name="scores", dtype="float32", shape=(None, 3)),
            Field(name="counts", dtype="uint8", shape=(None, 3)),
            Field(name="label", dtype="string", shape=(None,), choices=("low", "middle", "high")),
        ),
    )
}


def publish_scores(root: Path) -> int:
    """Publish a version of ``Scores``, as model "scores"."""
    return publish(root, card("scores", SCORES_CONTRACT, task="classification"), _save_scores)


@written_once
def _save_scores(directory: Path) -> None:
    model = Scores()
    save(directory, model, serving_default=model.serve)


class Logarithms(tf.Module):
    """Logarithms as scores and as a number: without a contract, and -inf for 0."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def classify(self, x):
        classes = tf.tile([["left", "right"]], [tf.shape(x)[0], 1])
        return {"classes": classes, "scores": tf.math.log(x)}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def regress(self, x):
        return {"outputs": tf.math.log(x[:, 0])}


@written_once
def save_logarithms(directory: Path) -> None:
    """Write ``Logarithms``, with the signatures "classify" and "regress"."""
    model = Logarithms()
    save(directory, model, classify=model.classify, regress=model.regress)
