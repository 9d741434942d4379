"""What is read of h2load, and the messages that it sends."""

import numpy as np
import pytest

from benchmarks.dense import PICTURES
from benchmarks.errors import BenchmarkError
from benchmarks.grpc_load import framed, parse_h2load
from benchmarks.over_grpc import TENSORS
from service.grpc.messages import message_class
from service.repository.golden_examples import GoldenExample

OUTPUT = """
finished in {took}, 522.00 req/s, 207.56KB/s
requests: 1000 total, 1008 started, 1000 done, 1000 succeeded, 0 failed, 2 errored, 0 timeout
status codes: 1000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 622.67KB (637619) total, 5.17KB (5298) headers (space savings 95.82%), 97.66KB ({data}) data
"""
LOG = "".join(f"179592971536582{i}\t200\t{1000 * (i + 1)}\n" for i in range(9))


@pytest.mark.parametrize(("took", "seconds"), [("2.00s", 2.0), ("500.00ms", 0.5)])
def test_calls_without_an_answer_have_failed(took: str, seconds: float) -> None:
    load = parse_h2load(OUTPUT.format(took=took, data=100 * 900), LOG, answer_bytes=100)
    assert (load.requests, load.seconds, load.p50_ms) == (1000, seconds, 5.0)
    assert load.failed == {"status": 100, "errored": 2}
    assert 8.9 < load.p99_ms <= 9.0


def test_what_measured_nothing_is_told() -> None:
    with pytest.raises(BenchmarkError, match="connection refused"):
        parse_h2load("connection refused", "", answer_bytes=100)


def test_a_request_and_its_answer() -> None:
    examples = [
        GoldenExample("serving_default", {"image": np.full((28, 28), i).tolist()}, {})
        for i in range(2)
    ]
    request = message_class("inference.ModelInferRequest").FromString(TENSORS.body(examples))
    assert list(request.inputs[0].shape) == [2, 28, 28]
    sent = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(2, 28, 28)
    assert sent[:, 0, 0].tolist() == [0, 1]
    answer = message_class("inference.ModelInferResponse")()
    answer.outputs.add(name=PICTURES.output, datatype="FP32", shape=[1, 2])
    answer.raw_output_contents.append(np.array([0.25, 0.75], np.float32).tobytes())
    columns = TENSORS.columns(examples, answer.SerializeToString())
    assert columns[PICTURES.output].tolist() == [[0.25, 0.75]]
    assert framed(b"abc") == b"\0\0\0\0\x03abc"
