"""A model of Triton's Python backend: one call to TensorFlow for all requests handed over."""

import json
from typing import Any

import triton_python_backend_utils as triton

from benchmarks.servers.batched import BatchedModel


class TritonPythonModel:
    """The class that Triton looks for by this name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model whose name and configuration Triton passes."""
        config = json.loads(args["model_config"])
        self._input = config["input"][0]["name"]
        self._output = config["output"][0]["name"]
        self._model = BatchedModel(args["model_name"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer a batch of requests."""
        rows = [triton.get_input_tensor_by_name(r, self._input).as_numpy() for r in requests]
        return [
            triton.InferenceResponse([triton.Tensor(self._output, answer)])
            for answer in self._model(rows)
        ]
