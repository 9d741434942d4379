"""TensorFlow Serving's warm-up records: all are replayed, and one that fails refuses the version."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from service.repository.contract import Signature
from service.repository.errors import RepositoryError
from service.repository.golden_examples import Tensors
from service.repository.tfrecord import masked_crc32c
from service.runtime.load_error import Fault, LoadError
from service.runtime.servable import Servable
from service.runtime.version_state import State
from service.runtime.warmup_records import replay_records
from tests.lifecycles import Start, servable, states
from tests.savedmodels.classes import save_half_plus_three
from tests.savedmodels.warmup import example, example_log, message, predict_log, write_warmup

ONE = tf.make_tensor_proto([1.0])


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Servable:
    """A version whose warm-up file each test writes anew."""
    folder = tmp_path_factory.mktemp("half") / "1"
    save_half_plus_three(folder)
    return servable("half", 1, folder)


Ran = list[tuple[str, dict[str, list[object]]]]


@pytest.fixture
def replay(half: Servable) -> Callable[[list[bytes]], Ran]:
    def replay(records: list[bytes]) -> Ran:
        ran: Ran = []

        def run(signature: Signature, inputs: Tensors) -> None:
            ran.append((signature.name, {name: value.tolist() for name, value in inputs.items()}))

        write_warmup(half._directory, records)
        count = replay_records(half._directory, half.contract, half.parses_examples, run)
        assert count == len(records)
        return ran

    return replay


def test_each_kind_of_request_is_replayed(replay: Callable[[list[bytes]], Ran]) -> None:
    regress, x = "tensorflow/serving/regress", example(1.0)
    tasks = b"".join(message(1, message(1, message(3, s))) for s in (b"classify_x", b"scores_only"))
    multi = message(4, message(1, tasks + message(2, message(1, message(1, x)))))
    ran = replay(
        [
            predict_log({"x": ONE}),
            predict_log({"x": ONE}, "serving_default"),
            example_log(3, [x, x], regress),
            example_log(2, [b"", x], "classify_x", context=x),
            multi,
        ]
    )
    assert ran == [
        ("serving_default", {"x": [1.0]}),
        ("serving_default", {"x": [1.0]}),
        (regress, {"inputs": [x, x]}),
        ("classify_x", {"inputs": [x, x + x]}),
        ("classify_x", {"inputs": [x]}),
        ("scores_only", {"inputs": [x]}),
    ]


@pytest.mark.parametrize("values", [[0.5, 2.5], [0.5]])
def test_a_tensor_in_either_form(replay: Callable[[list[bytes]], Ran], values: list[float]) -> None:
    typed = tf.make_tensor_proto([0.0, 0.0])
    typed.ClearField("tensor_content")
    typed.float_val[:] = values
    # As TensorFlow reads it, the last value stands for those that are missing.
    expected = [values[0], values[-1]]
    assert replay([predict_log({"x": typed})]) == [("serving_default", {"x": expected})]


def without(proto: object, **changes: object) -> object:
    copy = type(proto)()
    copy.CopyFrom(proto)
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy


def huge() -> object:
    proto = without(ONE)
    proto.tensor_shape.dim[0].size = 2**31
    return proto


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"\xff\xff", "It is not a PredictionLog."),
        (b"", "It is not a PredictionLog of one request."),
        (message(5, b""), "A session_run_log cannot be replayed; record predict_log."),
        (predict_log({"x": ONE}, "none"), "There is no signature 'none'; there are: "),
        (predict_log({}), "Input 'x' is missing."),
        (predict_log({"x": ONE, "z": ONE}), "Signature 'serving_default' has no input 'z'; it takes x."),
        (predict_log({"x": b"\xff"}), "Input 'x' is not a TensorProto."),
        (predict_log({"x": tf.make_tensor_proto([1])}), "Input 'x' is int32; expected float32."),
        (predict_log({"x": without(ONE, dtype=99)}), "Input 'x' has the unknown dtype 99."),
        (predict_log({"x": huge()}), "Input 'x' announces 2147483648 elements; at most 67108864 are read."),
        (predict_log({"x": without(ONE, tensor_content=b"abc")}), "Input 'x': Its values do not fill its shape."),
        (example_log(3, [example(1)], "serving_default"), "Signature 'serving_default' does not take tf.train.Example."),
        (example_log(3, [], "classify_x"), "It has no examples."),
    ],
)  # fmt: skip
def test_a_record_that_is_no_request_is_named(
    replay: Callable[[list[bytes]], Ran], record: bytes, reason: str
) -> None:
    with pytest.raises(RepositoryError) as caught:
        replay([predict_log({"x": ONE}), record])
    prefix = "assets.extra/tf_serving_warmup_requests: Record 2: "
    assert str(caught.value).startswith(prefix + reason)


def cut(data: bytes) -> bytes:
    return data[:-1]


def flip(data: bytes) -> bytes:
    return data[:20] + bytes([data[20] ^ 1]) + data[21:]


def announce(data: bytes) -> bytes:
    head = struct.pack("<Q", 2**60)
    return head + struct.pack("<I", masked_crc32c(head)) + data[12:]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cut, "Record 1: The file ends within it; it is truncated."),
        (lambda data: data[:5], "Record 1: The file ends in its length; it is truncated."),
        (lambda data: b"not records at all", "Record 1: The checksum of its length is wrong; the file is damaged, or is not a TFRecord file."),
        (flip, "Record 1: Its checksum is wrong; the file is damaged."),
        (announce, "Record 1: It has 1152921504606846976 bytes; at most 268435456 are read."),
    ],
)  # fmt: skip
def test_a_damaged_file_refuses_the_version(
    half: Servable, change: Callable[[bytes], bytes], reason: str
) -> None:
    path = write_warmup(half._directory, [predict_log({"x": ONE})])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(LoadError) as caught:
        half.replay()
    assert str(caught.value) == f"assets.extra/tf_serving_warmup_requests: {reason}"
    assert caught.value.fault is Fault.WARM_UP


def test_a_thousand_records_are_replayed_and_one_more_is_refused(half: Servable) -> None:
    write_warmup(half._directory, [predict_log({"x": ONE})] * 1000)
    half.replay()
    write_warmup(half._directory, [predict_log({"x": ONE})] * 1001)
    with pytest.raises(LoadError, match="more than 1000 records"):
        half.replay()


def test_the_checksum_is_tensorflows_of_any_length(tmp_path: Path) -> None:
    for size in range(20):
        data = np.random.default_rng(size).bytes(size)
        with tf.io.TFRecordWriter(str(tmp_path / "f")) as writer:
            writer.write(data)
        written = (tmp_path / "f").read_bytes()
        assert written[-4:] == struct.pack("<I", masked_crc32c(data))


def test_a_record_that_the_graph_refuses_leaves_the_old_version_serving(
    make_lifecycle: Start, tmp_path: Path
) -> None:
    save_half_plus_three(tmp_path / "half" / "1")
    write_warmup(tmp_path / "half" / "1", [predict_log({"x": ONE})])
    save_half_plus_three(tmp_path / "half" / "2")
    # The example lacks the feature that the graph needs.
    write_warmup(tmp_path / "half" / "2", [example_log(3, [b""], "tensorflow/serving/regress")])
    lifecycle = make_lifecycle()
    assert states(lifecycle, "half") == {1: State.AVAILABLE, 2: State.FAILED}
    reason = next(item.reason for item in lifecycle.status("half") if item.version == 2)
    expected = "assets.extra/tf_serving_warmup_requests: Record 1: The model refused the input: "
    assert reason.startswith(expected)
