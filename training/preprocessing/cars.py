"""Turns a car's fields into a network's inputs, in a TensorFlow graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from training.data.auto_mpg import CAR_NUMBERS
from training.data.dataset_types import Table


class Features:
    """What a network sees of a car: the named inputs to float32 [N, 6 + origins], standardised.

    Unknown horsepower is estimated from displacement and weight, by least squares on the
    logarithms of the cars that have it. Nothing here comes from the cars' mpg, so the folds of a
    cross-validation may share it.

    Args:
        data: the cars to take means, spreads and the estimate from.
        logarithmic: whether displacement, horsepower, weight and acceleration become logarithms.
    """

    def __init__(self, data: Table, logarithmic: bool) -> None:
        self._logarithmic = logarithmic
        self._origins = list(data.origins)
        known = ~np.isnan(data.numbers["horsepower"])
        causes = [np.log(data.numbers[name][known]) for name in ("displacement", "weight")]
        effect = np.log(data.numbers["horsepower"][known])
        design = np.stack([np.ones(len(effect)), *causes], axis=1)
        self._estimate = np.linalg.lstsq(design, effect)[0].astype(np.float32)
        numbers = self._numbers(data.numbers).numpy()
        self._mean, spread = numbers.mean(axis=0), numbers.std(axis=0)
        # Cars that are all alike in something can differ in it later, in steps of its own unit.
        self._spread = np.where(spread > 0, spread, 1).astype(np.float32)

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        numbers = (self._numbers(inputs) - self._mean) / self._spread
        origin = tf.cast(tf.equal(inputs["origin"][:, None], self._origins), tf.float32)
        return tf.concat([numbers, origin], axis=1)

    def _numbers(self, inputs: Mapping[str, Any]) -> Any:
        column = {name: tf.convert_to_tensor(inputs[name]) for name in CAR_NUMBERS}
        horsepower = column["horsepower"]
        estimate = tf.exp(
            self._estimate[0]
            + self._estimate[1] * tf.math.log(column["displacement"])
            + self._estimate[2] * tf.math.log(column["weight"])
        )
        column["horsepower"] = tf.where(tf.math.is_nan(horsepower), estimate, horsepower)
        if self._logarithmic:
            for name in ("displacement", "horsepower", "weight", "acceleration"):
                column[name] = tf.math.log(column[name])
        return tf.stack(list(column.values()), axis=1)
