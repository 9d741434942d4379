"""``POST ...:classify`` and ``POST ...:regress``, as in TensorFlow Serving."""

from flask import Blueprint, Response

from service.api.body import json_body
from service.api.codec.examples import ExamplesCodec, Method
from service.api.inference import Inference, Target
from service.api.observe import as_response, exchange
from service.api.query import signature_name
from service.api.routing import SERVABLE_PATHS


def classify_routes(
    inference: Inference, *, max_rows: int, max_errors: int, max_body_bytes: int
) -> Blueprint:
    """Return the routes of classification and regression.

    Args:
        inference: answers predictions.
        max_rows: the most examples of a request.
        max_errors: the most problems of one request that are listed.
        max_body_bytes: the most bytes of a body.
    """
    blueprint = Blueprint("classify", __name__)
    for method in Method:
        _add_routes(
            blueprint,
            method,
            inference,
            ExamplesCodec(method, max_rows=max_rows, max_errors=max_errors),
            max_body_bytes,
        )
    return blueprint


def _add_routes(
    blueprint: Blueprint,
    method: Method,
    inference: Inference,
    codec: ExamplesCodec,
    max_body_bytes: int,
) -> None:
    verb = method.name.lower()

    def view(model: str, version: int | None = None, label: str | None = None) -> Response:
        current, target = exchange(), Target(model, version, label)
        inference.require(current, model)
        body = json_body(current, most=max_body_bytes)
        named = signature_name(current.environ)
        asked = codec if named is None else codec.calling(named)
        return as_response(inference.answer(current, target, asked, body))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:{verb}", verb, view, methods=["POST"])
