"""A product so wide that its sums show what it was multiplied in."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from service.repository.model_card import Card
from service.repository.precision import Precision
from tests.savedmodels.saving import card, save, written_once

COLUMNS = 512
CONTRACT: Contract = {
    "serving_default": Signature(
        "serving_default",
        inputs=(Field(name="x", dtype="float32", shape=(None, COLUMNS)),),
        outputs=(Field(name="y", dtype="float32", shape=(None, 16)),),
    )
}


class Wide(tf.Module):
    """``y = x @ w`` with weights that bfloat16 cannot hold exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(np.random.default_rng(1).normal(size=(COLUMNS, 16)).astype("f"))

    @tf.function(input_signature=[tf.TensorSpec([None, COLUMNS], tf.float32, name="x")])
    def serve(self, x):
        return {"y": x @ self.w}

    def exactly(self, x):
        return x.astype(np.float64) @ self.w.numpy().astype(np.float64)


@written_once
def save_wide(directory: Path) -> None:
    """Write the SavedModel; it brings no card."""
    model = Wide()
    save(directory, model, serving_default=model.serve)


def wide_card(precision: Precision) -> Card:
    return dataclasses.replace(card("wide", CONTRACT), precision=precision)


def some_rows(count: int = 8):
    return np.random.default_rng(2).normal(size=(count, COLUMNS)).astype(np.float32)
