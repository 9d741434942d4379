"""Versions of one small classifier that a rollout must tell apart."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from tests.savedmodels.saving import card, publish, save, written_once

CLASSES = 10
KINDS = ("equal", "better", "swapped", "slow", "failing", "nan", "worse", "rare_swap")
# What the champion computes beside its answer, in products of matrices; the slow one does more.
_WORK = 40
_WIDTH = 256

CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(Field(name="x", dtype="float32", shape=(None, CLASSES), example=[0.5] * CLASSES),),
        outputs=(
            Field(name="label", dtype="string", shape=(None,)),
            Field(name="confidence", dtype="float32", shape=(None,)),
        ),
        rows_independent=True,
    )
}


class Trial(tf.Module):
    """Answers with the number of the largest of ten values, and that value.

    The champion (``kind`` empty) and "equal" confuse two classes where the second value is nearly
    as large; "better" does not, and "worse" does where it is not so near. "swapped" swaps two
    labels, and "rare_swap" does that where the third value is above 0.7. Of evenly spread rows
    "worse" answers 6 % differently, and "rare_swap" 5 %. "failing" refuses, and "nan" answers
    with NaN, where the first value is above ``1 - rare``. "slow" takes longer.
    """

    def __init__(self, kind: str, rare: float, work: int) -> None:
        super().__init__()
        self.kind, self.rare, self.work = kind, rare, work
        self.weights = tf.Variable(tf.eye(_WIDTH) * 0.99)

    def answer(self, x: Any) -> dict[str, Any]:
        """Return label and confidence of rows of shape [N, CLASSES]."""
        order = tf.argsort(x, axis=1, direction="DESCENDING")
        best = order[:, 0]
        if self.kind != "better":
            near = 0.01 if self.kind == "worse" else 0.003
            close = tf.reduce_max(x, axis=1) - tf.gather(x, order[:, 1], batch_dims=1) < near
            best = tf.where(close, order[:, 1], best)
        swapped = tf.gather(tf.constant([1, 0, *range(2, CLASSES)]), best)
        if self.kind == "swapped":
            best = swapped
        elif self.kind == "rare_swap":
            best = tf.where(x[:, 2] > 0.7, swapped, best)
        hidden = tf.tile(tf.reduce_sum(x, axis=1, keepdims=True), [1, _WIDTH])
        for _ in range(self.work * (2 if self.kind == "slow" else 1)):
            hidden = hidden @ self.weights
        confidence = tf.reduce_max(x, axis=1) + 0.0 * hidden[:, 0]
        is_rare = x[:, 0] > 1.0 - self.rare
        if self.kind == "nan":
            confidence = tf.where(is_rare, float("nan"), confidence)
        if self.kind == "failing":
            with tf.control_dependencies([tf.debugging.Assert(~tf.reduce_any(is_rare), [0])]):
                confidence = tf.identity(confidence)
        return {"label": tf.strings.as_string(best), "confidence": confidence}


def publish_trial(
    root: Path, kind: str = "", *, model: str = "trial", rare: float = 0.01, work: int = _WORK
) -> int:
    """Publish a version as a trainer would, and return its number.

    Args:
        root: the folder of models.
        kind: one of ``KINDS``; empty for the champion.
        model: the model's name.
        rare: the share of inputs on which "failing" and "nan" do harm.
        work: how long the champion takes, in products of matrices.
    """
    described = card(model, CONTRACT, task="classification")
    return publish(root, described, _save_trial, kind=kind, rare=rare, work=work)


@written_once
def _save_trial(directory: Path, *, kind: str, rare: float, work: int) -> None:
    module = Trial(kind, rare, work)
    inputs = [tf.TensorSpec([None, CLASSES], tf.float32, name="x")]
    save(directory, module, serving_default=tf.function(module.answer, input_signature=inputs))
