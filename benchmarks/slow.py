"""A model that takes as long as it is asked to, and keeps a processor busy meanwhile."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from service.repository.model_store import Store

SLOW = "slow"

_EXPORT_TIMEOUT_S = 120


def publish_slow(store: Store) -> int:
    """Publish the model, and return the version's number.

    Its input ``turns`` [N] says how many matrices it multiplies for the whole batch: the largest
    of the rows' numbers.

    Raises:
        BenchmarkError: it cannot be exported.
    """

    def fill(folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.slow", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_EXPORT_TIMEOUT_S)
        if done.returncode:
            raise BenchmarkError(f"The slow model cannot be exported: {done.stderr[-500:]}")

    return store.publish(SLOW, fill)


def _export(directory: Path) -> None:
    import tensorflow as tf

    class Turns(tf.Module):
        def serve(self, turns: Any) -> dict[str, Any]:
            unit = tf.eye(200)
            most = tf.cast(tf.reduce_max(turns), tf.int32)
            _, product = tf.while_loop(
                lambda turn, _: turn < most,
                lambda turn, product: (turn + 1, product @ unit),
                (tf.constant(0), unit),
            )
            return {"done": turns * product[0, 0]}

    model = Turns()
    turns = tf.TensorSpec([None], tf.float32, name="turns")
    serve = tf.function(model.serve).get_concrete_function(turns)
    tf.saved_model.save(model, str(directory), signatures={"serving_default": serve})


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _export(Path(sys.argv[1]))
