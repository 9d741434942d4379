"""``POST ...:classify`` and ``POST ...:regress``, as in TensorFlow Serving."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from service.api.codecs.tfserving.classify_requests import ExamplesCodec, Method
from service.api.http.flask_hooks import as_response, exchange
from service.api.http.query import signature_name
from service.api.http.request_body import as_json
from service.api.http.url_paths import SERVABLE_PATHS
from service.api.inference.pipeline import Inference, Target


class Classify:
    """The endpoint of the routes of one method.

    Attributes:
        method: classification or regression.
    """

    def __init__(self, method: Method, *, max_rows: int, max_errors: int) -> None:
        """An endpoint with bounds.

        Args:
            method: classification or regression.
            max_rows: the most examples of a request.
            max_errors: the most problems of one request that are listed.
        """
        self.method = method
        self._codec = ExamplesCodec(method, max_rows=max_rows, max_errors=max_errors)

    def codec(self, environ: Mapping[str, Any], body: bytes) -> tuple[ExamplesCodec, bytes]:
        """Return the format of a request, which must be JSON."""
        named = signature_name(environ)
        codec = self._codec if named is None else self._codec.calling(named)
        return codec, as_json(environ, body)


def classify_routes(inference: Inference, endpoint: Classify) -> Blueprint:
    """Return the routes of an endpoint."""
    verb = endpoint.method.name.lower()
    blueprint = Blueprint(verb, __name__)

    def view(model: str, version: int | None = None, label: str | None = None) -> Response:
        target = Target(model, version, label)
        return as_response(inference.answer(exchange(), target, endpoint))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:{verb}", verb, view, methods=["POST"])
    return blueprint
