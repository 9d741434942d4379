"""``POST ...:classify`` and ``POST ...:regress``, as in TensorFlow Serving."""

from flask import Blueprint, Response

from service.api.codecs.codec_selection import ClassifyCodecs
from service.api.http.flask_hooks import as_response, exchange
from service.api.http.url_paths import SERVABLE_PATHS
from service.api.inference.pipeline import Inference, Target


def classify_routes(inference: Inference, codecs: ClassifyCodecs) -> Blueprint:
    """Return the routes of one method."""
    verb = codecs.method.name.lower()
    blueprint = Blueprint(verb, __name__)

    def view(model: str, version: int | None = None, label: str | None = None) -> Response:
        target = Target(model, version, label)
        return as_response(inference.answer(exchange(), target, codecs))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:{verb}", verb, view, methods=["POST"])
    return blueprint
