"""What a stranger may bring to the page: many fields, many classes, markup for names, deep arrays,
answers with other rows than the input's, two pictures at once."""

from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.saving import card, publish, save

MARKUP = "<img src=x onerror='document.title=\"broken\"'>"
CLASSES = (MARKUP, *(f"a class with a rather long name, number {i}" for i in range(1, 1000)))
FIELDS = tuple(f"field_{i:02}" for i in range(30))


class Crowd(tf.Module):
    """Takes 30 numbers; the class is the whole part of their sum."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name=n) for n in FIELDS])
    def serve(self, *numbers):
        total = tf.add_n(numbers)
        scores = -tf.abs(tf.range(1000, dtype=tf.float32)[None] - total[:, None])
        return {
            "label": tf.gather(tf.constant(CLASSES), tf.argmax(scores, axis=1)),
            "probabilities": tf.nn.softmax(scores),
        }


class Deep(tf.Module):
    """Takes a vector of 13 numbers; gives arrays of ranks 2, 3 and 4, and what is no number.

    The rows of ``running`` depend on each other.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, 13], tf.float32, name="x")])
    def serve(self, x):
        square = x[:, None, :12, None] * x[:, :12, None, None]
        return {
            "matrix": tf.squeeze(square, axis=-1),
            "picture": square,
            "vector": x * 2.0,
            "logarithm": tf.math.log(x[:, 0]),
            "total": tf.reduce_sum(x, axis=1),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def running(self, x):
        return {"total": tf.cumsum(x)}


class Pieces(tf.Module):
    """Gives a row for each word of a text, not for the text; and the mean of two pictures apart."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve(self, text):
        words = tf.strings.split(text).flat_values
        return {"words": words, "count": tf.fill(tf.shape(text), tf.size(words))}

    @tf.function(
        input_signature=[tf.TensorSpec([None, 8, 8], tf.float32, name=n) for n in ("left", "right")]
    )
    def pictures(self, left, right):
        return {n: tf.reduce_mean(each, axis=[1, 2]) for n, each in (("l", left), ("r", right))}


def publish_crowd(root: Path) -> None:
    """Publish the model of 30 fields and 1,000 classes, whose names and words are markup."""
    inputs = tuple(
        Field(name=n, dtype="float32", shape=(None,), minimum=0, maximum=40, description=MARKUP)
        for n in FIELDS
    )
    outputs = (
        Field(name="label", dtype="string", shape=(None,), choices=CLASSES),
        Field(name="probabilities", dtype="float32", shape=(None, 1000)),
    )
    contract: Contract = {"serving_default": Signature("serving_default", inputs, outputs)}
    described = replace(
        card("crowd-of_1.0", contract, task="classification"),
        title=MARKUP + "without" + "any" * 40 + "space",
        description=MARKUP,
        evaluation={
            "headline": {"name": MARKUP, "value": 0.5},
            "per_class": [{"label": name, "recall": 0.5} for name in CLASSES],
        },
        training={"gates": {"outcomes": [{"gate": MARKUP, "passed": False, "because": MARKUP}]}},
        data={MARKUP: MARKUP},
    )
    publish(root, described, _save_crowd)


def _save_crowd(directory: Path) -> None:
    model = Crowd()
    save(directory, model, serving_default=model.serve)


def save_deep(directory: Path) -> None:
    """Write the model of deep arrays; it brings no card."""
    model = Deep()
    save(directory, model, serving_default=model.serve, running=model.running)


def save_pieces(directory: Path) -> None:
    """Write the model of words and of two pictures; it brings no card."""
    model = Pieces()
    save(directory, model, serving_default=model.serve, pictures=model.pictures)
