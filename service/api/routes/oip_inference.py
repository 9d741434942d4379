"""``/v2``: health, metadata and inference by the Open Inference Protocol."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from service.api.codecs.oip.binary_tensors import Framed, split
from service.api.codecs.oip.infer_request import InferRequest, find_signature, read
from service.api.codecs.oip.infer_response import OCTETS, write
from service.api.codecs.oip.model_config import Limits, model_config
from service.api.codecs.oip.model_metadata import model_metadata
from service.api.codecs.oip.raw_body import read_raw
from service.api.http.flask_hooks import as_response, exchange
from service.api.http.query import signature_name
from service.api.http.request_body import json_request, json_value, media_type
from service.api.http.responses import JSON, Answer
from service.api.inference.pipeline import Inference, Target
from service.api.json import json_arrays
from service.api.routes.health import require_ready
from service.errors import ServiceError, UnavailableError
from service.repository.golden import Tensors
from service.runtime.lifecycle import Lifecycle
from service.runtime.servable import Servable

V2 = "/v2"
V2_MODEL = f"{V2}/models/<model:model>"
V2_SERVABLE_PATHS = (V2_MODEL, f"{V2_MODEL}/versions/<version:version>")

_EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "parameters",
    "statistics",
)
# The last is what curl calls a body unless told otherwise.
_UNTOLD = ("", "application/x-www-form-urlencoded")
_HEADER = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"


class V2Codec:
    """The protocol's bodies: JSON, JSON with bytes after it, or bytes alone. One a request."""

    def __init__(self, header: str | None, signature_name: str | None, *, max_errors: int) -> None:
        """Prepare.

        Args:
            header: the value of ``Inference-Header-Content-Length``, if it was sent.
            signature_name: the signature that the query asks for, if any.
            max_errors: the most problems of one request that are listed.
        """
        self._header = header
        self._signature_name = signature_name
        self._max_errors = max_errors

    def parse(self, body: bytes) -> tuple[Any, Framed]:
        framed = split(body, self._header)
        return (None if framed.head is None else json_value(framed.head, json_arrays.loads)), framed

    def read(self, document: tuple[Any, Framed], servable: Servable) -> InferRequest:
        parsed, framed = document
        contract, limit = servable.contract, self._max_errors
        if framed.head is None:
            return read_raw(framed.tail, contract, self._signature_name, limit=limit)
        return read(parsed, framed.tail, contract, self._signature_name, limit=limit)

    def write(self, request: InferRequest, outputs: Tensors, servable: Servable) -> Answer:
        return write(
            request, outputs, servable.contract, model=servable.model, version=servable.version
        )


class InferV2:
    """The endpoint of the inference routes."""

    def __init__(self, *, max_errors: int) -> None:
        """An endpoint with bounds.

        Args:
            max_errors: the most problems of one request that are listed.
        """
        self._max_errors = max_errors

    def codec(self, environ: Mapping[str, Any], body: bytes) -> tuple[V2Codec, bytes]:
        """Return the format of a request: JSON, JSON with bytes after it, or bytes."""
        told, header = media_type(environ), environ.get(_HEADER)
        if header is None and told not in (JSON, *_UNTOLD):
            # Bytes that nobody says are JSON may be a request in JSON all the same.
            request = json_request(environ, body)
            if request is not None:
                body = request
            elif told == OCTETS:
                header = "0"
            else:
                raise _unknown(told)
        elif told not in (JSON, OCTETS, *_UNTOLD):
            raise _unknown(told)
        return V2Codec(header, signature_name(environ), max_errors=self._max_errors), body


def _unknown(told: str) -> ServiceError:
    return ServiceError(
        f"Expected a body of Content-Type {JSON} or {OCTETS}, not {told[:60]!r}.", status=415
    )


def inference_v2_routes(
    inference: Inference,
    infer: InferV2,
    lifecycle: Lifecycle,
    limits: Limits,
    *,
    server_version: str,
) -> Blueprint:
    """Return the protocol's routes.

    Args:
        inference: answers predictions.
        infer: the endpoint of inference.
        lifecycle: knows the models.
        limits: what their configurations say of the service.
        server_version: the version of this software.
    """
    blueprint = Blueprint("inference_v2", __name__)

    @blueprint.get(V2)
    @blueprint.get(f"{V2}/")
    def server() -> dict[str, Any]:
        return {"name": "understudy", "version": server_version, "extensions": list(_EXTENSIONS)}

    @blueprint.get(f"{V2}/health/live")
    def live() -> dict[str, Any]:
        return {"live": True}

    @blueprint.get(f"{V2}/health/ready")
    def ready() -> dict[str, Any]:
        require_ready(lifecycle)
        if not lifecycle.all_ready:
            raise UnavailableError("Not every model serves.", retry_after_s=1)
        return {"ready": True}

    def metadata(model: str, version: int | None = None) -> dict[str, Any]:
        with _leased(lifecycle, model, version) as servable:
            exchange().version = servable.version
            signature = find_signature(servable.contract, signature_name(request.environ))
            return model_metadata(model, lifecycle.serving_versions(model), signature)

    def config(model: str, version: int | None = None) -> dict[str, Any]:
        with _leased(lifecycle, model, version) as servable:
            exchange().version = servable.version
            signature = find_signature(servable.contract, signature_name(request.environ))
            return model_config(model, signature, lifecycle.policy(model), limits)

    def model_ready(model: str, version: int | None = None) -> dict[str, Any]:
        with _leased(lifecycle, model, version) as servable:
            exchange().version = servable.version
            if servable.stuck:
                raise UnavailableError(
                    f"Model {model!r} is stuck: a prediction does not return.", retry_after_s=30
                )
            return {"name": model, "ready": True}

    def view(model: str, version: int | None = None) -> Response:
        return as_response(inference.answer(exchange(), Target(model, version), infer))

    for path in V2_SERVABLE_PATHS:
        blueprint.add_url_rule(path, view_func=metadata)
        blueprint.add_url_rule(f"{path}/config", view_func=config)
        blueprint.add_url_rule(f"{path}/ready", view_func=model_ready)
        blueprint.add_url_rule(f"{path}/infer", "infer", view, methods=["POST"])
    return blueprint


def _leased(lifecycle: Lifecycle, model: str, version: int | None) -> Any:
    lifecycle.require(model)
    exchange().model = model
    return lifecycle.lease(model, version)
