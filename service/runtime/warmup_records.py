"""TensorFlow Serving's warm-up records: requests that are replayed before a version serves.

A record is a ``PredictionLog``. Of its messages only those fields are read that a replay needs;
tensors and examples stay bytes, which TensorFlow's own classes, or the graph, parse.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from service.repository.contract import DEFAULT_SIGNATURE, Contract, Field, Signature, why_left_out
from service.repository.errors import RepositoryError
from service.repository.golden_examples import Tensors
from service.repository.proto_messages import Tables, message_of_tables
from service.repository.tfrecord import records_in
from service.runtime.tensorflow_import import TensorProto, tf

WARMUP_RECORDS = "assets.extra/tf_serving_warmup_requests"
# As in TensorFlow Serving.
MOST_RECORDS = 1000
_MOST_RECORD_BYTES = 2**28
# In elements of one tensor: 256 MiB of float32.
_MOST_ELEMENTS = 2**26

# Numbers are those of prediction_log.proto, predict.proto, model.proto, classification.proto,
# regression.proto, inference.proto and input.proto. A message and its bytes are the same on the
# wire.
_MESSAGES: Tables = {
    "ModelSpec": [("name", "string", 1), ("signature_name", "string", 3)],
    "PredictRequest": [
        ("model_spec", "ModelSpec", 1),
        ("inputs", "=bytes", 2),
        ("output_filter", "*string", 3),
    ],
    "ExampleList": [("examples", "*bytes", 1)],
    "ExampleListWithContext": [("examples", "*bytes", 1), ("context", "bytes", 2)],
    "Input": [
        ("example_list", "ExampleList", 1),
        ("example_list_with_context", "ExampleListWithContext", 2),
    ],
    "ExampleRequest": [("model_spec", "ModelSpec", 1), ("input", "Input", 2)],
    "InferenceTask": [("model_spec", "ModelSpec", 1), ("method_name", "string", 2)],
    "MultiInferenceRequest": [("tasks", "*InferenceTask", 1), ("input", "Input", 2)],
    "PredictLog": [("request", "PredictRequest", 1)],
    "ExampleLog": [("request", "ExampleRequest", 1)],
    "MultiInferenceLog": [("request", "MultiInferenceRequest", 1)],
    "Other": [],
    "PredictionLog": [
        ("classify_log", "ExampleLog", 2),
        ("regress_log", "ExampleLog", 3),
        ("multi_inference_log", "MultiInferenceLog", 4),
        ("session_run_log", "Other", 5),
        ("predict_log", "PredictLog", 6),
        ("predict_streamed_log", "Other", 7),
    ],
}
_PREDICTION_LOG = message_of_tables("understudy.warmup", "PredictionLog", _MESSAGES)

# What a replay runs: a signature, and a tensor for each of its inputs.
Call = tuple[Signature, Tensors]


def replay_records(
    directory: Path,
    contract: Contract,
    parses_examples: Callable[[str], bool],
    run: Callable[[Signature, Tensors], None],
) -> int:
    """Run the requests in a version's warm-up file, one after the other; return how many.

    Args:
        directory: the version's folder.
        contract: what the version takes.
        parses_examples: whether a signature's only input is parsed as ``tf.train.Example``.
        run: runs one request, and raises what keeps it from being answered.

    Raises:
        RepositoryError: the file is damaged, or a record is not a request that the version takes;
            the message names the record.
        OSError: the file cannot be read.
    """
    path = directory / WARMUP_RECORDS
    if not path.exists():
        return 0
    number = 0
    try:
        for number, data in enumerate(
            records_in(path, most=MOST_RECORDS, most_bytes=_MOST_RECORD_BYTES), 1
        ):
            try:
                for signature, inputs in _calls(data, contract, parses_examples):
                    run(signature, inputs)
            except RepositoryError as error:
                raise RepositoryError(f"Record {number}: {error}") from error
    except RepositoryError as error:
        raise RepositoryError(f"{WARMUP_RECORDS}: {error}") from error
    return number


def _calls(
    data: bytes, contract: Contract, parses_examples: Callable[[str], bool]
) -> Iterator[Call]:
    try:
        log = _PREDICTION_LOG.FromString(data)
    except DecodeError as error:
        raise RepositoryError("It is not a PredictionLog.") from error
    kinds = [descriptor.name for descriptor, _ in log.ListFields()]
    match kinds:
        case ["predict_log"]:
            request = log.predict_log.request
            signature = _signature(contract, request.model_spec.signature_name)
            yield signature, _inputs(signature, request.inputs)
        case ["classify_log" | "regress_log" as kind]:
            request = getattr(log, kind).request
            yield _on_examples(contract, request.model_spec, request.input, parses_examples)
        case ["multi_inference_log"]:
            request = log.multi_inference_log.request
            for task in request.tasks:
                yield _on_examples(contract, task.model_spec, request.input, parses_examples)
        case ["session_run_log" | "predict_streamed_log" as kind]:
            raise RepositoryError(f"A {kind} cannot be replayed; record predict_log.")
        case _:
            raise RepositoryError("It is not a PredictionLog of one request.")


def _signature(contract: Contract, name: str) -> Signature:
    name = name or DEFAULT_SIGNATURE
    if name not in contract:
        known = ", ".join(contract)
        raise RepositoryError(
            f"There is no signature {name!r}; there are: {known}.{why_left_out(contract, name)}"
        )
    return contract[name]


def _on_examples(
    contract: Contract, spec: Any, given: Any, parses_examples: Callable[[str], bool]
) -> Call:
    signature = _signature(contract, spec.signature_name)
    if not parses_examples(signature.name):
        raise RepositoryError(f"Signature {signature.name!r} does not take tf.train.Example.")
    if given.HasField("example_list_with_context"):
        with_context = given.example_list_with_context
        # Joined, two messages are one with the fields of both.
        examples = [with_context.context + example for example in with_context.examples]
    else:
        examples = list(given.example_list.examples)
    if not examples:
        raise RepositoryError("It has no examples.")
    array = np.empty(len(examples), dtype=np.object_)
    array[:] = examples
    return signature, {signature.inputs[0].name: array}


def _inputs(signature: Signature, given: Mapping[str, bytes]) -> Tensors:
    fields = {field.name: field for field in signature.inputs}
    if unknown := sorted(given.keys() - fields.keys()):
        raise RepositoryError(
            f"Signature {signature.name!r} has no input {unknown[0]!r}; it takes "
            f"{', '.join(fields) or 'none'}."
        )
    inputs = {}
    for name, field in fields.items():
        if name in given:
            inputs[name] = _tensor(given[name], field)
        elif field.default is None:
            raise RepositoryError(f"Input {name!r} is missing.")
    rows = next((len(tensor) for tensor in inputs.values() if tensor.ndim), 1)
    for name, field in fields.items():
        if name not in inputs:
            default = field.default
            assert default is not None
            inputs[name] = np.repeat(default, rows, axis=0) if field.default_is_row else default
    return inputs


def _tensor(data: bytes, field: Field) -> npt.NDArray[Any]:
    place = f"Input {field.name!r}"
    try:
        proto = TensorProto.FromString(data)
    except DecodeError as error:
        raise RepositoryError(f"{place} is not a TensorProto.") from error
    shape = tuple(int(dim.size) for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise RepositoryError(f"{place} has no shape; expected the shape of its values.")
    if math.prod(shape) > _MOST_ELEMENTS:
        raise RepositoryError(
            f"{place} announces {math.prod(shape)} elements; at most {_MOST_ELEMENTS} are read."
        )
    try:
        dtype = tf.as_dtype(proto.dtype).name
    except TypeError as error:
        raise RepositoryError(f"{place} has the unknown dtype {proto.dtype}.") from error
    if dtype != field.dtype:
        raise RepositoryError(f"{place} is {dtype}; expected {field.dtype}.")
    if not _fits(shape, field):
        raise RepositoryError(f"{place} has the shape {list(shape)}; expected {_expected(field)}.")
    try:
        array = np.asarray(tf.make_ndarray(proto))
    except (ValueError, TypeError) as error:
        raise RepositoryError(f"{place}: Its values do not fill its shape.") from error
    return array if field.dtype == "string" else array.astype(field.numpy_type)


def _fits(shape: tuple[int, ...], field: Field) -> bool:
    if field.shape is None:
        return True
    return len(shape) == len(field.shape) and all(
        wanted is None or size == wanted for size, wanted in zip(shape, field.shape, strict=True)
    )


def _expected(field: Field) -> str:
    sizes = ["?" if size is None else str(size) for size in field.shape or ()]
    return f"[{', '.join(sizes)}]"
