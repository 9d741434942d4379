"""mosec: HTTP and batching in Rust, and one Python process a model that calls TensorFlow.

On two cores a second process a model would contend with the first and with the server itself.
"""

import os
from typing import Any

import numpy as np
from mosec import Runtime, Server, Worker

from benchmarks.dense import NETWORKS
from benchmarks.servers.batched import BatchedModel

_NAME = "BENCHMARK_MODEL"
_MAX_REQUESTS = 32
_MAX_WAIT_MS = 1  # mosec takes 0 for its default, 10


class Predictions(Worker):
    """Answers TensorFlow Serving's rows."""

    def __init__(self) -> None:
        self._model = BatchedModel(os.environ[_NAME])

    def forward(self, data: list[Any]) -> list[Any]:
        """Answer a batch of parsed bodies."""
        rows = [np.asarray(body["instances"], np.float32) for body in data]
        return [{"predictions": answer.tolist()} for answer in self._model(rows)]


def main() -> None:
    """Serve each dense network at its name."""
    server = Server()
    server.register_runtime(
        {
            f"/{name}": [
                Runtime(
                    Predictions,
                    num=1,
                    max_batch_size=_MAX_REQUESTS,
                    max_wait_time=_MAX_WAIT_MS,
                    env=[{_NAME: name}],
                )
            ]
            for name in NETWORKS
        }
    )
    server.run()


if __name__ == "__main__":
    main()
