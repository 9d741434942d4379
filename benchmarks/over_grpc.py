"""The service beside Triton by gRPC, in one run: ``python -m benchmarks.over_grpc --peers FOLDER``.

Both serve the dense network of pictures and are asked in the Open Inference Protocol, with raw
tensors. A stream is a connection with one call at a time. As for ``python -m benchmarks``, ratios
within a run are meaningful, and figures alone are not.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks.cases import Payload, choose
from benchmarks.contestants import CONTESTANTS, OURS, TRITON, peer_versions
from benchmarks.dense import NETWORKS, PICTURES
from benchmarks.errors import BenchmarkError
from benchmarks.grpc_load import framed, require_h2load, run_h2load
from benchmarks.machine import commit, machine, versions
from benchmarks.measure import Measurement, measure_load
from benchmarks.models import golden_of, publish_dense
from benchmarks.process import HOST, Server, exit_on_sigterm, free_port
from benchmarks.protocols import Protocol
from benchmarks.results import Figure, Results
from benchmarks.table import markdown_table, number
from service.grpc.messages import message_class
from service.repository.golden_examples import GoldenExample
from service.repository.model_store import Store
from service.settings.usable_cores import usable_cores

_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_ROWS = (1, 64)
_STREAMS = (1, 8, 32)
_WARM_UP_S = 2
_TIMEOUT_S = 30
_FIGURES: dict[str, Figure] = {
    "calls/s": lambda m: m.requests_per_s,
    "CPU us": lambda m: m.cpu_us_per_request,
    "p50 ms": lambda m: m.p50_ms,
    "p99 ms": lambda m: m.p99_ms,
}
_REQUEST = message_class("inference.ModelInferRequest")
_RESPONSE = message_class("inference.ModelInferResponse")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.over_grpc")
    parser.add_argument("--peers", type=Path, help="where the environment of pytriton is")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server (3)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--workers", type=int, default=usable_cores())
    options = parser.parse_args(arguments)
    try:
        h2load = require_h2load()
        taking_part = versions(f"h2load {h2load}")
        print(f"{machine()}; {taking_part}; commit {commit()}", flush=True)
        with tempfile.TemporaryDirectory(prefix="understudy-grpc-") as folder:
            _run(Path(folder), options)
    except BenchmarkError as error:
        print(f"benchmarks.over_grpc: {error}", file=sys.stderr)
        return 1
    return 0


def _run(folder: Path, options: argparse.Namespace) -> None:
    models = folder / "models"
    # Triton's program for them loads all.
    for network in NETWORKS.values():
        publish_dense(Store(models), network)
    golden = golden_of(models, PICTURES.name)
    payloads = [Payload(PICTURES.name, golden, choose(golden.examples, rows)) for rows in _ROWS]
    results = Results()
    with contextlib.ExitStack() as stack:
        callers = []
        for name in (TRITON, OURS):
            python = CONTESTANTS[name].python(options.peers)
            if python is None:
                print(f"{name} was not run: its environment is missing.")
                continue
            print(peer_versions(CONTESTANTS[name], python) or name, flush=True)
            server, port = stack.enter_context(_started(name, python, models, options.workers))
            callers.append(_Caller(server, port, folder))
        for caller in callers:
            for payload in payloads:
                caller.prove(payload)
                caller.load(payload, 8, _WARM_UP_S)
        for round_ in range(options.rounds):
            for payload in payloads:
                for streams in _STREAMS:
                    for caller in callers:
                        found = caller.load(payload, streams, options.seconds)
                        case = f"{payload.name}x{streams}"
                        results.add(case, caller.name, round_, found)
    _report(results, [caller.name for caller in callers], payloads)


class _Caller:
    """Asks one server."""

    def __init__(self, server: Server, port: int, folder: Path) -> None:
        self.name = server.name
        self._server = server
        self._port = port
        self._folder = folder
        self._answer_bytes: dict[str, int] = {}

    def prove(self, payload: Payload) -> None:
        """Check an answer.

        Raises:
            BenchmarkError: there is none, or it is wrong.
        """
        body = payload.body(TENSORS)
        with grpc.insecure_channel(f"{HOST}:{self._port}") as channel:
            try:
                answer = channel.unary_unary(_METHOD)(body, timeout=_TIMEOUT_S)
            except grpc.RpcError as error:
                raise BenchmarkError(f"{self.name} did not answer: {error.details()}") from error
        problems = payload.problems(answer, TENSORS)
        if problems:
            raise BenchmarkError(f"{self.name}: {problems[0]}")
        self._answer_bytes[payload.name] = len(framed(answer))
        self._body(payload).write_bytes(framed(body))

    def load(self, payload: Payload, streams: int, seconds: int) -> Measurement:
        """Load the server, and measure it.

        Raises:
            BenchmarkError: it ended, or answered nothing with success.
        """
        return measure_load(
            self._server,
            lambda: run_h2load(
                f"http://{HOST}:{self._port}{_METHOD}",
                self._body(payload),
                answer_bytes=self._answer_bytes[payload.name],
                streams=streams,
                seconds=seconds,
            ),
        )

    def _body(self, payload: Payload) -> Path:
        return self._folder / f"{self.name}-{payload.name}.body"


@contextlib.contextmanager
def _started(name: str, python: str, models: Path, workers: int) -> Iterator[tuple[Server, int]]:
    contestant = CONTESTANTS[name]
    port, grpc_port = free_port(), free_port()
    environ = {
        "MODELS": str(models),
        "HOST": HOST,
        "PORT": str(port),
        "UNDERSTUDY_GRPC_PORT": str(grpc_port),
        "UNDERSTUDY_WORKERS": str(workers),
        "BENCHMARK_SCRATCH": str(models.parent),
        "BENCHMARK_GRPC_PORT": str(grpc_port),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    command = [python, *contestant.command(port, workers)]
    with Server(name, command, port, environ, models.parent / f"{name}.log") as server:
        server.wait_until_ready(contestant.ready)
        yield server, grpc_port


def _tensors_body(examples: Sequence[GoldenExample]) -> bytes:
    values = np.array([example.instance[PICTURES.input] for example in examples], np.float32)
    request = _REQUEST(model_name=PICTURES.name, raw_input_contents=[values.tobytes()])
    request.inputs.add(name=PICTURES.input, datatype="FP32", shape=values.shape)
    body: bytes = request.SerializeToString()
    return body


def _tensors_columns(examples: Sequence[GoldenExample], answer: bytes) -> dict[str, Any]:
    response = _RESPONSE.FromString(answer)
    (output,), (raw,) = response.outputs, response.raw_output_contents
    return {output.name: np.frombuffer(raw, np.float32).reshape(tuple(output.shape))}


# The Open Inference Protocol with raw tensors, of the network of pictures.
TENSORS = Protocol(_tensors_body, _tensors_columns)


def _report(results: Results, names: Sequence[str], payloads: Sequence[Payload]) -> None:
    rows = []
    for case in (f"{payload.name}x{streams}" for payload in payloads for streams in _STREAMS):
        row = [case]
        for name in names:
            for figure in _FIGURES.values():
                spread = results.figure(case, name, figure)
                row.append(number(spread.median) if spread else "-")
            row.append(str(sum(results.failed(case, name).values())))
        ratio = results.ratio(case, OURS, TRITON, lambda m: m.requests_per_s)
        row.append(f"{ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f})" if ratio else "-")
        rows.append(row)
    head = [f"{name}: {figure}" for name in names for figure in (*_FIGURES, "errors")]
    print(markdown_table(["case", *head, f"{OURS} over {TRITON}"], rows))
    elsewhere = results.elsewhere()
    if elsewhere:
        print(
            f"\nElsewhere: {elsewhere.median:.0%} ({elsewhere.least:.0%} to {elsewhere.most:.0%})"
        )


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
