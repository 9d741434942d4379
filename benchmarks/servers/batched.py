"""What the batching servers do with a batch: one call to TensorFlow for all its requests."""

from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.servers.loaded import load_model


class BatchedModel:
    """A model of one input and one output, loaded and called once."""

    def __init__(self, name: str) -> None:
        self._loaded = load_model(name)
        self._call = self._loaded.signatures["serving_default"]
        [(self._input, spec)] = self._call.structured_input_signature[1].items()
        [self._output] = self._call.structured_outputs
        self([np.zeros((1, *spec.shape[1:]), np.float32)])

    def __call__(self, requests: list[Any]) -> list[Any]:
        """Return an array of predictions, [n, ...], for each request's array of rows."""
        rows = requests[0] if len(requests) == 1 else np.concatenate(requests)
        predictions = self._call(**{self._input: tf.constant(rows)})[self._output].numpy()
        ends = np.cumsum([len(request) for request in requests])
        return np.split(predictions, ends[:-1])
