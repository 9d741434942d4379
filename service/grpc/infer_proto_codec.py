"""The codec of ``GRPCInferenceService.ModelInfer``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.api.codecs.oip.classification import top_classes
from service.api.codecs.oip.datatypes import datatype, pack
from service.api.codecs.oip.infer_request import InferRequest, read_checked
from service.api.codecs.oip.named_inputs import BinaryData, InputData
from service.api.http.responses import Response
from service.api.request_limits import Limits
from service.api.validation.arrays import check_array, shorten_shape
from service.api.validation.error_messages import count_with_noun
from service.api.validation.problems import InvalidValueError, Problems, invalid_request
from service.api.validation.tensors import Array
from service.grpc.messages import POOL, message_class
from service.grpc.packed_fields import numbers_of, packed_field
from service.grpc.status import CONTENT_TYPE
from service.grpc.tensor_protos import check_range
from service.repository.contract import Field
from service.repository.golden_examples import Tensors
from service.runtime.servable import Servable

INFER_REQUEST = message_class("inference.ModelInferRequest")
_RESPONSE = message_class("inference.ModelInferResponse")
_FIELDS = POOL.FindMessageTypeByName("inference.InferTensorContents").fields_by_name

# By the protocol's datatypes: the list that holds such values, and what is read from it. FP16 and
# BF16 travel as raw bytes alone.
_LISTS: Mapping[str, tuple[str, Any]] = {
    "BOOL": ("bool_contents", np.bool_),
    "INT8": ("int_contents", np.int32),
    "INT16": ("int_contents", np.int32),
    "INT32": ("int_contents", np.int32),
    "INT64": ("int64_contents", np.int64),
    "UINT8": ("uint_contents", np.uint32),
    "UINT16": ("uint_contents", np.uint32),
    "UINT32": ("uint_contents", np.uint32),
    "UINT64": ("uint64_contents", np.uint64),
    "FP32": ("fp32_contents", np.float32),
    "FP64": ("fp64_contents", np.float64),
    "BYTES": ("bytes_contents", np.object_),
}


@dataclass(frozen=True, slots=True)
class TypedContents:
    """An input's values in the lists of ``InferTensorContents``."""

    contents: Any
    size_key: str
    data_key: str

    def check_size(self, field: Field, shape: Sequence[int]) -> None:
        found = _LISTS.get(datatype(field))
        if found is None:
            raise InvalidValueError(f"Expected {datatype(field)} in raw_input_contents.")
        count, given = math.prod(shape), len(getattr(self.contents, found[0]))
        if count != given:
            raise InvalidValueError(
                f"Expected {count_with_noun(count)} in {found[0]}, for shape "
                f"{shorten_shape(shape)}, not {given}."
            )

    def tensor(self, field: Field, shape: Sequence[int], limit: int) -> Array:
        name, kind = _LISTS[datatype(field)]
        values = getattr(self.contents, name)
        if field.dtype == "string":
            flat = np.empty(len(values), dtype=np.object_)
            flat[:] = list(values)
        else:
            flat = numbers_of(values, kind)
            if flat.dtype != field.numpy_type:
                bounds = np.iinfo(field.numpy_type)
                flat = check_range(field, flat, limit, int(bounds.min), int(bounds.max))
                flat = flat.astype(field.numpy_type)
        check_array(field, flat, limit=limit)
        return flat.reshape(tuple(shape))


class InferProtoCodec:
    """Reads one parsed ``ModelInferRequest``, and writes its response."""

    refuses_nonfinite = False

    def __init__(self, message: Any, limits: Limits) -> None:
        """The codec of one request.

        Args:
            message: the request.
            limits: of requests.
        """
        self._message = message
        self._limits = limits

    def select(self, environ: Mapping[str, Any], body: bytes) -> tuple["InferProtoCodec", bytes]:
        """Return this codec: the call has said which it is."""
        return self, body

    def parse(self, body: bytes) -> Any:
        """Return the message, which was parsed to learn whom it asks."""
        return self._message

    def read(self, document: Any, servable: Servable) -> InferRequest:
        problems = Problems(self._limits.max_errors)
        request: dict[str, Any] = {
            "parameters": _parameters(document.parameters),
            "inputs": [
                {
                    "name": item.name,
                    "datatype": item.datatype,
                    "shape": list(item.shape),
                    "parameters": _parameters(item.parameters),
                }
                for item in document.inputs
            ],
            "outputs": [
                {"name": item.name, "parameters": _parameters(item.parameters)}
                for item in document.outputs
            ],
            "id": document.id or None,
        }
        for i, item in enumerate(request["inputs"]):
            if any(size < 0 for size in item["shape"]):
                problems.add(
                    f"inputs[{i}].shape",
                    "Expected a list of whole numbers of at least 0, not "
                    f"{shorten_shape(item['shape'])}.",
                )
        problems.raise_if_any()
        return read_checked(request, lambda: _divide(document), servable.contract, None, problems)

    def write(self, request: InferRequest, outputs: Tensors, servable: Servable) -> Response:
        response = _RESPONSE(
            model_name=servable.model,
            model_version=str(servable.version),
            id=request.id or "",
        )
        described = [
            self._described(request, requested, outputs[requested.field.name], servable)
            for requested in request.outputs
        ]
        # As they came: raw or typed. What has no typed form makes all of them raw.
        is_raw = bool(self._message.raw_input_contents) or any(
            kind not in _LISTS for _, kind, _ in described
        )
        for name, kind, tensor in described:
            output = response.outputs.add(name=name, datatype=kind, shape=tensor.shape)
            if is_raw:
                response.raw_output_contents.append(pack(tensor, kind))
            elif kind == "BYTES":
                output.contents.bytes_contents.extend(tensor.reshape(-1).tolist())
            else:
                number = _FIELDS[_LISTS[kind][0]].number
                output.contents.MergeFromString(packed_field(number, tensor))
        return Response(response.SerializeToString(), CONTENT_TYPE)

    @staticmethod
    def _described(
        request: InferRequest, requested: Any, tensor: Array, servable: Servable
    ) -> tuple[str, str, Array]:
        field = requested.field
        if requested.classes:
            found = top_classes(request.signature, servable.contract, tensor, requested.classes)
            return field.name, "BYTES", found
        return field.name, datatype(field), tensor


def _parameters(parameters: Any) -> dict[str, Any]:
    return {
        name: getattr(value, kind) if (kind := value.WhichOneof("parameter_choice")) else ""
        for name, value in parameters.items()
    }


def _divide(document: Any) -> list[InputData]:
    """Return the data of each input.

    Raises:
        InvalidRequestError: there are raw contents, but not for each input.
    """
    raw, inputs = document.raw_input_contents, document.inputs
    for i, item in enumerate(inputs):
        if "shared_memory_region" in item.parameters:
            raise invalid_request(
                f"inputs[{i}].parameters.shared_memory_region",
                "This service shares no memory with clients; expected data in the request.",
            )
        if raw and item.HasField("contents"):
            raise invalid_request(
                f"inputs[{i}].contents", "Expected either contents or raw_input_contents, not both."
            )
    if not raw:
        return [
            TypedContents(item.contents, f"inputs[{i}].contents", f"inputs[{i}].contents")
            for i, item in enumerate(inputs)
        ]
    if len(raw) != len(inputs):
        raise invalid_request(
            "raw_input_contents",
            f"Expected {count_with_noun(len(inputs), 'item')}, one for each input, not {len(raw)}.",
        )
    return [
        BinaryData(data, f"raw_input_contents[{i}]", f"raw_input_contents[{i}]")
        for i, data in enumerate(raw)
    ]
