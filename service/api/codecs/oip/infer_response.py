"""An inference response: tensors to JSON and bytes."""

from typing import Any

import numpy as np
import orjson

from service.api.codecs.oip.binary_tensors import HEADER
from service.api.codecs.oip.classification import top_classes
from service.api.codecs.oip.datatypes import datatype, pack
from service.api.codecs.oip.infer_request import InferRequest
from service.api.codecs.oip.requested_outputs import RequestedOutput
from service.api.http.responses import JSON, Response
from service.api.validation.finite_outputs import check_finite
from service.api.validation.tensors import Array
from service.repository.contract import Contract
from service.repository.golden_examples import Tensors
from service.repository.json_strings import string_to_json

OCTETS = "application/octet-stream"


def write_response(
    request: InferRequest, outputs: Tensors, contract: Contract, *, model: str, version: int
) -> Response:
    """Return the response: the requested outputs, in their order.

    Args:
        request: the request.
        outputs: an array for each output of its signature.
        contract: the model's, whose signatures may name the classes of others.
        model: the model's name.
        version: its version.

    Raises:
        InvalidRequestError: an output that is requested as JSON has a NaN or an infinity.
    """
    blobs: list[bytes] = []
    described = [
        _describe(request, requested, outputs[requested.field.name], contract, blobs)
        for requested in request.outputs
    ]
    head: dict[str, Any] = {} if request.id is None else {"id": request.id}
    head |= {"model_name": model, "model_version": str(version), "outputs": described}
    text = orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY)
    if not any(requested.binary for requested in request.outputs):
        return Response(text, JSON)
    return Response(b"".join((text, *blobs)), OCTETS, headers={HEADER: str(len(text))})


def _describe(
    request: InferRequest,
    requested: RequestedOutput,
    tensor: Array,
    contract: Contract,
    blobs: list[bytes],
) -> dict[str, Any]:
    name = datatype(requested.field)
    if requested.classes:
        tensor, name = top_classes(request.signature, contract, tensor, requested.classes), "BYTES"
    described: dict[str, Any] = {
        "name": requested.field.name,
        "datatype": name,
        "shape": list(tensor.shape),
    }
    if requested.binary:
        blobs.append(pack(tensor, name))
        described["parameters"] = {"binary_data_size": len(blobs[-1])}
    else:
        described["data"] = _jsonable(requested.field.name, tensor)
    return described


def _jsonable(name: str, tensor: Array) -> Any:
    if tensor.dtype == object:
        return [string_to_json(value) for value in tensor.reshape(-1).tolist()]
    check_finite(name, tensor, "; ask for binary data to have it")
    return np.ascontiguousarray(tensor).reshape(-1)
