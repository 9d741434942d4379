"""Whole numbers that a double does not hold, as keys of databases are."""

from pathlib import Path

import tensorflow as tf

from tests.savedmodels.saving import save

# What a double makes of it is one less.
BEYOND_DOUBLES = 2**53 + 1


class Identities(tf.Module):
    """Gives back what it is given, and the next one; ``first``, which has no rows, a list of one."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="key")])
    def serve(self, key):
        return {"same": key, "next": key + 1}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="keys")])
    def first(self, keys):
        return {"first": keys[0][None], "whole": keys}


def save_identities(directory: Path) -> None:
    """Write the model; it brings no card."""
    model = Identities()
    save(directory, model, serving_default=model.serve, first=model.first)
