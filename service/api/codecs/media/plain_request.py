"""What the codecs of plain bodies (not JSON) have in common: their request and response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from service.api.codecs.tfserving import predict_requests, predict_responses
from service.api.http.responses import Response
from service.api.request_limits import Limits
from service.api.validation.problems import Index, InvalidValueError, Problems
from service.api.validation.tensors import Array, columns_are_scalars, to_tensor
from service.repository.contract import Signature
from service.repository.golden_examples import Tensors
from service.runtime.input_defaults import add_default_inputs
from service.runtime.servable import Servable


class BodyPath(Protocol):
    """Returns the path by which the client knows a value; the empty path is the whole body."""

    def __call__(self, index: Index, name: str = "") -> str:
        """Return the path of the value of an input at an index, or of a row of all inputs."""


def whole_body_path(index: Index, name: str = "") -> str:
    """Return the path of the only value of a body."""
    return ""


@dataclass(frozen=True, slots=True)
class BodyInfo:
    """What the line and headers of a request say about its body.

    Attributes:
        content_type: its media type, without parameters.
        options: the parameters of the content type ("charset").
        signature_name: the signature that the query names, if it does.
    """

    content_type: str
    options: Mapping[str, str]
    signature_name: str | None


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: a tensor for each of its inputs.
        instances: how many predictions the request is for.
        path_of_value: returns the path by which the client knows a value.
        scalars: whether values came without the lists that the contract has around each.
    """

    signature: Signature
    inputs: Tensors
    instances: int
    path_of_value: BodyPath
    scalars: bool = False

    def path_of(self, name: str, index: Index) -> str:
        """Return the path of the value of input ``name`` at ``index``."""
        return self.path_of_value(index, name)

    def path_of_row(self, row: int) -> str:
        """Return the path of a row of all inputs."""
        return self.path_of_value((row,))


class PlainCodec:
    """What the codecs of plain bodies share."""

    refuses_nonfinite = True

    def __init__(self, info: BodyInfo, limits: Limits) -> None:
        """The codec of one body."""
        self.info = info
        self.limits = limits

    def write(self, request: PlainRequest, outputs: Tensors, servable: Servable) -> Response:
        rows = predict_requests.PredictRequest(
            request.signature, request.inputs, request.instances, request.scalars
        )
        return Response(predict_responses.encode_response(rows, outputs))


def request_of_values(
    signature: Signature, columns: Mapping[str, Sequence[Any]], path_of: BodyPath, limits: Limits
) -> PlainRequest:
    """Return the request for values as JSON has them.

    Args:
        signature: the signature that is called.
        columns: for each of its inputs one value an instance; nullable inputs may be left out.
        path_of: returns the path of a value for the client.
        limits: of requests.

    Raises:
        InvalidRequestError: values are not what the inputs take; its details name them.
    """
    # One more problem than is listed shows that there are more.
    limit = limits.max_errors + 1
    inputs: Tensors = {}
    problems = Problems(limits.max_errors)
    for order, field in enumerate(signature.inputs):
        if field.name in columns:
            try:
                inputs[field.name] = to_tensor(field, list(columns[field.name]), limit=limit)
            except InvalidValueError as error:
                for index, message in error.problems.items():
                    problems.add(path_of(index, field.name), message, order=(index, order))
    problems.raise_if_any()
    count = len(next(iter(columns.values()), [None]))
    add_default_inputs(signature, inputs, count)
    # A cell or a text is a single value, never a list.
    return PlainRequest(signature, inputs, count, path_of, columns_are_scalars(signature, columns))


def request_of_files(
    signature: Signature, files: Sequence[bytes], path_of: BodyPath, limits: Limits
) -> PlainRequest:
    """Return the request for files, one an instance.

    Args:
        signature: the signature that is called; its only input takes files.
        files: at least one.
        path_of: returns the path of a file for the client.
        limits: of requests.

    Raises:
        InvalidRequestError: files are larger than the input takes.
    """
    (field,) = signature.inputs
    problems = Problems(limits.max_errors)
    for i, file in enumerate(files):
        if field.max_length is not None and len(file) > field.max_length:
            problems.add(
                path_of((i,), field.name),
                f"Expected a file of at most {field.max_length} bytes, not {len(file)}.",
            )
    problems.raise_if_any()
    array: Array = np.empty(len(files), dtype=np.object_)
    array[:] = files
    return PlainRequest(signature, {field.name: array}, len(files), path_of)
