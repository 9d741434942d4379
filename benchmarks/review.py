"""A review of the usual length, and the model's answer to it without any server.

Golden examples are short, so that a version is quick to prove; real reviews are not.
"""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.cases import REVIEW_WORDS
from benchmarks.errors import BenchmarkError
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.golden_examples import Golden, GoldenExample

_TIMEOUT_S = 120


def with_long_review(golden: Golden, version: Path) -> Golden:
    """Return sentiment's golden examples and one more, made of all their words.

    Args:
        golden: the golden examples.
        version: the folder of the version that they are of.

    Raises:
        BenchmarkError: TensorFlow cannot answer it.
    """
    text = join_words([example.instance["text"] for example in golden.examples], REVIEW_WORDS)
    command = [sys.executable, "-m", "benchmarks.review", str(version)]
    done = subprocess.run(
        command, input=json.dumps(text), capture_output=True, text=True, timeout=_TIMEOUT_S
    )
    if done.returncode:
        raise BenchmarkError(f"TensorFlow cannot answer a long review: {done.stderr[-500:]}")
    example = GoldenExample(DEFAULT_SIGNATURE, {"text": text}, json.loads(done.stdout), "long")
    return Golden([*golden.examples, example], golden.absolute, golden.relative)


def join_words(texts: list[str], count: int) -> str:
    """Return a text of ``count`` words, those of ``texts`` in turn."""
    words = [word for text in texts for word in text.split()]
    return " ".join(itertools.islice(itertools.cycle(words), count))


def _answer(version: str, text: str) -> dict[str, Any]:
    # Here, and run in a process of its own: the benchmark itself has no use for TensorFlow.
    import tensorflow as tf

    model = tf.saved_model.load(version)
    outputs = model.signatures[DEFAULT_SIGNATURE](text=tf.constant([text]))
    values = {name: tensor.numpy().tolist()[0] for name, tensor in outputs.items()}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(json.dumps(_answer(sys.argv[1], json.load(sys.stdin))))
