"""What calling TensorFlow costs, by the way it is called: ``python -m benchmarks.calls``.

For each model, processor time of one call in microseconds over all threads of the process,
without any serving around it: the least of some rounds in which the ways take turns, since
whatever disturbs a measurement can only add to it.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import choose
from benchmarks.models import assemble, golden_of, latest_version
from benchmarks.process import ROOT
from benchmarks.table import markdown_table
from service.repository.contract import DEFAULT_SIGNATURE

_ROWS = (1, 8, 64)
_ROUNDS = 9
_ROUND_S = 0.15

_Call = Callable[[Mapping[str, Any]], Any]


def main() -> None:
    """Measure every model, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls")
    parser.add_argument("--models", type=Path, default=ROOT / "saved_models")
    models = parser.parse_args().models
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory(prefix="understudy-calls-") as folder:
        root = Path(folder)
        rows = [row for model in assemble(models, root) for row in _measure(root, model)]
    print(markdown_table(["model and way", *(f"{rows} rows, us" for rows in _ROWS)], rows))


def _measure(root: Path, model: str) -> list[list[str]]:
    ways, dtypes = _ways(latest_version(root, model))
    examples = golden_of(root, model).examples
    table: dict[str, list[str]] = {way: [] for way in ways}
    for rows in _ROWS:
        chosen = choose(examples, rows)
        inputs = {name: _array([e.instance[name] for e in chosen], dtypes[name]) for name in dtypes}
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(_ROUNDS):
            for way, call in ways.items():
                best[way] = min(best[way], _cpu_us(call, inputs))
        for way, cost in best.items():
            table[way].append(f"{cost:,.0f}")
    return [[f"{model}: {way}", *costs] for way, costs in table.items()]


def _cpu_us(call: _Call, inputs: Mapping[str, Any]) -> float:
    for _ in range(3):
        call(inputs)
    calls, end, before = 0, time.perf_counter() + _ROUND_S, time.process_time()
    while time.perf_counter() < end:
        call(inputs)
        calls += 1
    return (time.process_time() - before) * 1e6 / calls


def _ways(folder: Path) -> tuple[dict[str, _Call], dict[str, Any]]:
    """Return the ways to call a version, and the numpy dtypes of its inputs."""
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2

    session = tf.compat.v1.Session(
        graph=tf.Graph(),
        config=tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
        ),
    )
    with session.graph.as_default():
        meta_graph = tf.compat.v1.saved_model.loader.load(
            session, [tf.saved_model.SERVING], str(folder)
        )
    definition = meta_graph.signature_def[DEFAULT_SIGNATURE]
    inputs = {name: info.name for name, info in sorted(definition.inputs.items())}
    outputs = [info.name for _, info in sorted(definition.outputs.items())]
    run = session.make_callable(outputs, list(inputs.values()))
    options = config_pb2.CallableOptions(feed=list(inputs.values()), fetch=outputs)
    from_options = session._make_callable_from_options(options)
    options.run_options.inter_op_thread_pool = -1
    on_this_thread = session._make_callable_from_options(options)
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[DEFAULT_SIGNATURE]

    def call_signature(values: Mapping[str, Any]) -> Any:
        answers = signature(**{name: tf.constant(values[name]) for name in inputs})
        return loaded, [answer.numpy() for answer in answers.values()]

    ways: dict[str, _Call] = {
        "loaded signature": call_signature,
        "`Session.make_callable` with feeds": lambda v: run(*(v[name] for name in inputs)),
        "session callable from `CallableOptions`": lambda v: from_options(
            *(v[name] for name in inputs)
        ),
        "the same, on the calling thread": lambda v: on_this_thread(*(v[name] for name in inputs)),
    }
    dtypes = {n: tf.as_dtype(definition.inputs[n].dtype).as_numpy_dtype for n in inputs}
    return ways, dtypes


def _array(values: list[Any], dtype: Any) -> Any:
    if dtype is np.object_:
        return np.array([value.encode() for value in values], dtype=object)
    return np.array(values, dtype=dtype)


if __name__ == "__main__":
    main()
