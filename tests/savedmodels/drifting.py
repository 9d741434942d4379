"""A classifier of one number that brings a reference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from service.repository.contract import Contract, Field, Signature
from service.repository.model_card import write_card
from service.repository.model_store import Store
from service.repository.reference.reference_file import write_reference
from service.repository.reference.reference_rows import describe_rows
from tests.savedmodels.saving import card, save, written_once

ROWS = 2_000


class Sign(tf.Module):
    """Whether ``x`` is above 0."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        p = tf.sigmoid(x)
        return {"label": tf.where(p > 0.5, "yes", "no"), "probability": p}


_SIGNATURE = Signature(
    "serving_default",
    (Field(name="x", dtype="float32", shape=(None,)),),
    (
        Field(name="label", dtype="string", shape=(None,), choices=("no", "yes")),
        Field(name="probability", dtype="float32", shape=(None,), minimum=0, maximum=1),
    ),
    rows_independent=True,
)
SIGN_CONTRACT: Contract = {"serving_default": _SIGNATURE}
SIGN_ACCURACY = {"name": "test accuracy", "value": 0.95, "low": 0.94, "high": 0.96}


def publish_sign(root: Path) -> int:
    """Publish a version as a trainer would, its reference of rows with a normal ``x``."""
    return Store(root).publish("sign", _fill_sign)


@written_once
def _fill_sign(directory: Path) -> None:
    model = Sign()
    save(directory, model, serving_default=model.serve)
    known = card("sign", SIGN_CONTRACT, task="classification")
    write_card(directory, replace(known, evaluation={"headline": SIGN_ACCURACY}))
    x = np.random.default_rng(0).normal(size=ROWS).astype(np.float32)
    outputs = {name: tensor.numpy() for name, tensor in model.serve(tf.constant(x)).items()}
    write_reference(
        directory,
        describe_rows(_SIGNATURE, {"x": x}, outputs, origin="the test set", held_out=True),
    )
