"""Signatures of every shape that a foreign SavedModel may bring."""

from pathlib import Path

import tensorflow as tf

from tests.savedmodels.saving import save, written_once


class Shapes(tf.Module):
    """Signatures of every kind that a foreign SavedModel may bring."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.int32, name="count"),
            tf.TensorSpec([], tf.bool, name="twice"),
        ]
    )
    def scalar(self, count, twice):
        return {"result": tf.where(twice, 2 * count, count)}

    @tf.function(input_signature=[tf.TensorSpec([None, 2, 3], tf.uint8, name="grid")])
    def grid(self, grid):
        return {"total": tf.reduce_sum(tf.cast(grid, tf.int64), axis=[1, 2])}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, name="words")])
    def words(self, words):
        return {
            "joined": tf.strings.reduce_join(words, axis=1, separator=" "),
            "raw_bytes": tf.strings.reduce_join(words, axis=1),
        }

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float64, name="anything")])
    def any_shape(self, anything):
        return {"sum": tf.reduce_sum(anything), "same": anything}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def logarithm(self, x):
        return {"log": tf.math.log(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="png_bytes")])
    def decode(self, png_bytes):
        sizes = tf.map_fn(
            lambda item: tf.shape(tf.io.decode_png(item))[0],
            png_bytes,
            fn_output_signature=tf.int32,
        )
        return {"height": sizes}

    @tf.function(
        input_signature=[
            tf.TensorSpec(None, tf.float32, name="a"),
            tf.TensorSpec(None, tf.float32, name="Meta"),
        ]
    )
    def two_of_any_shape(self, a, Meta):  # noqa: N803
        return {"sum": a + Meta}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.complex64, name="z")])
    def complex_only(self, z):
        return {"magnitude": tf.abs(z)}


SHAPES_SIGNATURES = [
    "scalar",
    "grid",
    "words",
    "any_shape",
    "two_of_any_shape",
    "logarithm",
    "decode",
    "complex_only",
]


@written_once
def save_shapes(directory: Path) -> None:
    """Write a foreign SavedModel with all signatures of ``Shapes`` and no default one."""
    model = Shapes()
    save(directory, model, **{name: getattr(model, name) for name in SHAPES_SIGNATURES})
