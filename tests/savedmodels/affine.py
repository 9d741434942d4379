"""A weighted sum, with a card and golden examples: the model of most tests."""

from pathlib import Path

import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from service.repository.golden_examples import Golden, GoldenExample, write_golden
from service.repository.model_card import write_card
from service.repository.model_store import Store
from tests.savedmodels.saving import card, save, written_once


class Affine(tf.Module):
    """``y = x0 + 2 * x1 + bias + shift``, and the text it was given, in upper case.

    A ``shift`` of NaN, which stands for null, is none.
    """

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.weights = tf.Variable([[1.0], [2.0]])
        self.bias = tf.Variable(bias)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, name="x"),
            tf.TensorSpec([None], tf.string, name="text"),
            tf.TensorSpec([None], tf.float32, name="shift"),
        ]
    )
    def serve(self, x, text, shift):
        known = tf.where(tf.math.is_nan(shift), 0.0, shift)
        return {
            "y": (x @ self.weights)[:, 0] + self.bias + known,
            "loud": tf.strings.upper(text),
        }

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def only_y(self, x):
        return {"y": (x @ self.weights)[:, 0] + self.bias}


@written_once
def save_affine(directory: Path, *, bias: float = 0.0) -> None:
    """Write a SavedModel as plain ``tf.saved_model.save`` does: no card, no manifest."""
    model = Affine(bias)
    save(directory, model, serving_default=model.serve, only_y=model.only_y)


AFFINE_CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(
            Field(
                name="x",
                dtype="float32",
                shape=(None, 2),
                description="two numbers",
                unit="m",
                minimum=-100,
                maximum=100,
                example=[1.0, 2.0],
            ),
            Field(
                name="text",
                dtype="string",
                shape=(None,),
                choices=("quiet", "loud"),
                example="quiet",
            ),
            Field(name="shift", dtype="float32", shape=(None,), nullable=True, example=0.0),
        ),
        outputs=(
            Field(name="y", dtype="float32", shape=(None,)),
            Field(name="loud", dtype="string", shape=(None,)),
        ),
    )
}


def affine_golden(bias: float) -> Golden:
    """Return the golden examples of ``Affine(bias)``."""
    return Golden(
        [
            GoldenExample(
                "serving_default",
                {"x": [1.0, 2.0], "text": "quiet", "shift": None},
                {"y": 5.0 + bias, "loud": "QUIET"},
                "plain",
            ),
            GoldenExample("only_y", {"x": [3.0, 4.0]}, {"y": 11.0 + bias}, "other signature"),
        ]
    )


def fill_affine(directory: Path, *, bias: float = 0.0, golden: Golden | None = None) -> None:
    """Write a whole version but for its manifest, which ``Store.publish`` adds."""
    save_affine(directory, bias=bias)
    write_card(directory, card("affine", AFFINE_CONTRACT))
    write_golden(directory, golden or affine_golden(bias))


def publish_affine(root: Path, *, model: str = "affine", bias: float = 0.0) -> int:
    """Publish a version of ``Affine`` as a trainer would, and return its number."""
    return Store(root).publish(model, lambda directory: fill_affine(directory, bias=bias))


def publish_broken_affine(root: Path) -> None:
    """Publish a version that lacks a file of its manifest."""
    number = publish_affine(root)
    (root / "affine" / str(number) / "fingerprint.pb").unlink()
