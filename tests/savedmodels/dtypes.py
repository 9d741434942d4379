"""Inputs and outputs of every dtype."""

from pathlib import Path

import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.saving import card, publish, save, written_once

# A signature's inputs of each dtype that TensorFlow and the protocols have in common.
DTYPES = {
    name: tf.dtypes.as_dtype(name)
    for name in (
        *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "float32", "float64", "string"),
    )
}


class EveryDtype(tf.Module):
    """Gives back what it is given, a tensor of each dtype."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], dtype, name=name) for name, dtype in DTYPES.items()
        ]
    )
    def same(self, *tensors):
        return {
            f"same_{name}": tf.identity(tensor)
            for name, tensor in zip(DTYPES, tensors, strict=True)
        }


@written_once
def save_every_dtype(directory: Path) -> None:
    """Write a foreign SavedModel with an input and an output of each dtype."""
    model = EveryDtype()
    save(directory, model, serving_default=model.same)


class Types(tf.Module):
    """One input of many dtypes and shapes each; ``ok`` is 1 for each row."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int8, name="small"),
            tf.TensorSpec([None], tf.uint64, name="big"),
            tf.TensorSpec([None], tf.int64, name="whole"),
            tf.TensorSpec([None], tf.float16, name="half"),
            tf.TensorSpec([None], tf.float64, name="double"),
            tf.TensorSpec([None], tf.bool, name="flag"),
            tf.TensorSpec([None], tf.int32, name="grade"),
            tf.TensorSpec([None], tf.float32, name="level"),
            tf.TensorSpec([None], tf.string, name="note"),
            tf.TensorSpec([None, None], tf.float32, name="series"),
            tf.TensorSpec([None, 2], tf.float32, name="gaps"),
            tf.TensorSpec([None, 2], tf.string, name="tags"),
        ]
    )
    def serve(self, small, big, whole, half, double, flag, grade, level, note, series, gaps, tags):
        return {"ok": tf.ones_like(grade)}

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28], tf.float32, name="image")])
    def picture(self, image):
        return {"mean": tf.reduce_mean(image, axis=[1, 2])}


TYPES_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(
            Field(name="small", dtype="int8", shape=(None,)),
            Field(name="big", dtype="uint64", shape=(None,)),
            Field(name="whole", dtype="int64", shape=(None,), minimum=0, unit="pieces"),
            Field(name="half", dtype="float16", shape=(None,)),
            Field(name="double", dtype="float64", shape=(None,)),
            Field(name="flag", dtype="bool", shape=(None,)),
            Field(name="grade", dtype="int32", shape=(None,), choices=(1, 2, 3)),
            Field(name="level", dtype="float32", shape=(None,), choices=(0.5, 1, 2)),
            Field(name="note", dtype="string", shape=(None,), max_length=8),
            Field(name="series", dtype="float32", shape=(None, None), maximum=9),
            Field(name="gaps", dtype="float32", shape=(None, 2), nullable=True),
            Field(name="tags", dtype="string", shape=(None, 2)),
        ),
        outputs=(Field(name="ok", dtype="int32", shape=(None,)),),
    ),
    "picture": Signature(
        "picture",
        inputs=(
            Field(name="image", dtype="float32", shape=(None, 28, 28), minimum=0, maximum=255),
        ),
        outputs=(Field(name="mean", dtype="float32", shape=(None,)),),
    ),
}


def publish_types(root: Path) -> int:
    """Publish ``Types`` as a trainer would, and return the version's number."""
    return publish(root, card("types", TYPES_CONTRACT), _save_types)


@written_once
def _save_types(directory: Path) -> None:
    model = Types()
    save(directory, model, serving_default=model.serve, picture=model.picture)
