"""``/v2``: health, metadata and inference by the Open Inference Protocol."""

from typing import Any

from flask import Blueprint, Response, request

from service.api.answer import JSON, Answer
from service.api.body import json_value, media_type, read_body
from service.api.codec import lifting
from service.api.codec.v2.framing import Framed, split
from service.api.codec.v2.metadata import model_metadata
from service.api.codec.v2.raw import read_raw
from service.api.codec.v2.request import InferRequest, find_signature, read
from service.api.codec.v2.response import OCTETS, write
from service.api.exchange import Exchange
from service.api.inference import Inference, Target
from service.api.observe import as_response, exchange
from service.api.query import signature_name
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
    "model_repository",
    "parameters",
    "statistics",
)
# The last is what curl calls a body unless told otherwise.
_TYPES = ("", JSON, OCTETS, "application/x-www-form-urlencoded")
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
        return (None if framed.head is None else json_value(framed.head, lifting.loads)), framed

    def read(self, document: tuple[Any, Framed], servable: Servable) -> InferRequest:
        parsed, framed = document
        contract, limit = servable.contract, self._max_errors
        if framed.head is None:
            return read_raw(framed.tail, contract, self._signature_name, limit=limit)
        return read(parsed, framed.tail, contract, self._signature_name, limit=limit)

    def write(self, request: InferRequest, outputs: Tensors, servable: Servable) -> Answer:
        return write(request, outputs, model=servable.model, version=servable.version)


class InferV2:
    """Answers the requests of the inference routes."""

    def __init__(self, inference: Inference, *, max_errors: int, max_body_bytes: int) -> None:
        """Prepare.

        Args:
            inference: answers predictions.
            max_errors: the most problems of one request that are listed.
            max_body_bytes: the most bytes of a body.
        """
        self._inference = inference
        self._max_errors = max_errors
        self._max_body_bytes = max_body_bytes

    def answer(self, exchange: Exchange, target: Target) -> Answer:
        """Answer one request; raises what ``Inference.answer`` and ``read_body`` raise."""
        environ = exchange.environ
        self._inference.require(exchange, target.model)
        told = media_type(environ)
        if told not in _TYPES:
            raise ServiceError(
                f"Expected a body of Content-Type {JSON} or {OCTETS}, not {told[:60]!r}.",
                status=415,
            )
        header = environ.get(_HEADER)
        if header is None and told == OCTETS:
            # Bytes that nobody says are JSON.
            header = "0"
        body = read_body(exchange, most=self._max_body_bytes)
        codec = V2Codec(header, signature_name(environ), max_errors=self._max_errors)
        return self._inference.answer(exchange, target, codec, body)


def inference_v2_routes(infer: InferV2, lifecycle: Lifecycle, *, server_version: str) -> Blueprint:
    """Return the protocol's routes.

    Args:
        infer: answers inference requests.
        lifecycle: knows the models.
        server_version: the version of this software.
    """
    blueprint = Blueprint("inference_v2", __name__)

    @blueprint.get(V2)
    def server() -> dict[str, Any]:
        return {"name": "understudy", "version": server_version, "extensions": list(_EXTENSIONS)}

    @blueprint.get(f"{V2}/health/live")
    def live() -> dict[str, Any]:
        return {"live": True}

    @blueprint.get(f"{V2}/health/ready")
    def ready() -> dict[str, Any]:
        if not lifecycle.ready:
            raise UnavailableError("No model serves yet.", retry_after_s=1)
        if not lifecycle.all_ready:
            raise UnavailableError("Not every model serves.", retry_after_s=1)
        return {"ready": True}

    def metadata(model: str, version: int | None = None) -> dict[str, Any]:
        with _leased(lifecycle, model, version) as servable:
            exchange().version = servable.version
            signature = find_signature(servable.contract, signature_name(request.environ))
            return model_metadata(model, lifecycle.serving_versions(model), signature)

    def model_ready(model: str, version: int | None = None) -> dict[str, Any]:
        with _leased(lifecycle, model, version) as servable:
            exchange().version = servable.version
            if servable.stuck:
                raise UnavailableError(
                    f"Model {model!r} is stuck: a prediction does not return.", retry_after_s=30
                )
            return {"name": model, "ready": True}

    def view(model: str, version: int | None = None) -> Response:
        return as_response(infer.answer(exchange(), Target(model, version)))

    for path in V2_SERVABLE_PATHS:
        blueprint.add_url_rule(path, view_func=metadata)
        blueprint.add_url_rule(f"{path}/ready", view_func=model_ready)
        blueprint.add_url_rule(f"{path}/infer", "infer", view, methods=["POST"])
    return blueprint


def _leased(lifecycle: Lifecycle, model: str, version: int | None) -> Any:
    lifecycle.require(model)
    exchange().model = model
    return lifecycle.lease(model, version)
