"""The codec of ``PredictionService.Predict``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.api.codecs.tfserving.predict_requests import signature_of
from service.api.http.responses import Response
from service.api.request_limits import Limits
from service.api.validation.error_messages import describe_expected_value
from service.api.validation.problems import (
    LONGEST_NAME,
    Index,
    InvalidValueError,
    Problems,
    brackets,
    name_in_path,
)
from service.api.validation.row_counts import check_equal_rows
from service.grpc.messages import message_class
from service.grpc.status import CONTENT_TYPE
from service.grpc.tensor_protos import read_tensor, write_tensor
from service.repository.contract import DEFAULT_SIGNATURE, Field, Signature
from service.repository.golden_examples import Tensors
from service.runtime.input_defaults import add_default_inputs
from service.runtime.servable import Servable

PREDICT_REQUEST = message_class("tensorflow.serving.PredictRequest")
_RESPONSE = message_class("tensorflow.serving.PredictResponse")


@dataclass(frozen=True, slots=True)
class TensorsRequest:
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: a tensor for each of its inputs.
        outputs: those that the response has.
    """

    signature: Signature
    inputs: Tensors
    outputs: tuple[Field, ...]

    @property
    def instances(self) -> int:
        """How many instances the request has."""
        if not self.signature.has_rows:
            return 1
        return max((int(tensor.shape[0]) for tensor in self.inputs.values()), default=1)

    def path_of(self, name: str, index: Index) -> str:
        """Return the path of the value of input ``name`` at ``index``."""
        return f"inputs.{name}{brackets(index)}"

    def path_of_row(self, row: int) -> str:
        """Return the path of a row of all inputs."""
        name = next(iter(self.inputs)) if len(self.inputs) == 1 else "*"
        return f"inputs.{name}[{row}]"


class PredictProtoCodec:
    """Reads one parsed ``PredictRequest``, and writes its response."""

    refuses_nonfinite = False

    def __init__(self, message: Any, limits: Limits) -> None:
        """The codec of one request.

        Args:
            message: the request.
            limits: of requests.
        """
        self._message = message
        self._limits = limits

    def select(self, environ: Mapping[str, Any], body: bytes) -> tuple["PredictProtoCodec", bytes]:
        """Return this codec: the call has said which it is."""
        return self, body

    def parse(self, body: bytes) -> Any:
        """Return the message, which was parsed to learn whom it asks."""
        return self._message

    def read(self, document: Any, servable: Servable) -> TensorsRequest:
        signature = signature_of(
            servable.contract, document.model_spec.signature_name or DEFAULT_SIGNATURE
        )
        problems = Problems(self._limits.max_errors)
        inputs = self._read_inputs(signature, document.inputs, problems)
        outputs = _read_filter(signature, document.output_filter, problems)
        if not problems and signature.needs_equal_rows:
            check_equal_rows(inputs, problems, lambda name: f"inputs.{name}")
        problems.raise_if_any()
        add_default_inputs(signature, inputs)
        return TensorsRequest(signature, inputs, outputs)

    def write(self, request: TensorsRequest, outputs: Tensors, servable: Servable) -> Response:
        response = _RESPONSE()
        spec = response.model_spec
        spec.name, spec.signature_name = servable.model, request.signature.name
        spec.version.value = servable.version
        for field in request.outputs:
            write_tensor(field, outputs[field.name], response.outputs[field.name])
        return Response(response.SerializeToString(), CONTENT_TYPE)

    def _read_inputs(self, signature: Signature, tensors: Any, problems: Problems) -> Tensors:
        fields = {field.name: field for field in signature.inputs}
        names = ", ".join(fields) or "no inputs"
        for name in sorted(tensors.keys() - fields.keys())[: problems.limit + 1]:
            problems.add(
                f"inputs.{name_in_path(name)}",
                f"Unknown field; signature {signature.name!r} takes {names}.",
            )
        inputs: Tensors = {}
        for name, field in fields.items():
            if name not in tensors:
                if not field.may_be_absent:
                    expected = describe_expected_value(field)
                    problems.add(f"inputs.{name}", f"Missing; expected {expected}.")
                continue
            try:
                inputs[name] = read_tensor(
                    field,
                    tensors[name],
                    limit=self._limits.max_errors + 1,
                    most_bytes=self._limits.max_body_bytes,
                )
            except InvalidValueError as error:
                problems.add_value(f"inputs.{name}", error)
        return inputs


def _read_filter(signature: Signature, names: Any, problems: Problems) -> tuple[Field, ...]:
    """Return the outputs that ``output_filter`` names, or all of them."""
    if not names:
        return signature.outputs
    fields = {field.name: field for field in signature.outputs}
    found = {}
    for i, name in enumerate(names):
        if problems.are_too_many:
            break
        if name in fields:
            found[name] = fields[name]
        else:
            problems.add(
                f"output_filter[{i}]",
                f"Unknown output {name[:LONGEST_NAME]!r}; signature {signature.name!r} gives "
                f"{', '.join(fields)}.",
            )
    return tuple(found.values())
