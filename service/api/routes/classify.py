"""``POST ...:classify`` and ``POST ...:regress``, as in TensorFlow Serving."""

from flask import Blueprint
from flask import Response as FlaskResponse

from service.api.codecs.codec_selection import ClassifyCodecs
from service.api.http.flask_hooks import current_context, flask_response
from service.api.http.url_paths import SERVABLE_PATHS
from service.api.inference.pipeline import InferencePipeline, Target


def classify_routes(pipeline: InferencePipeline, codecs: ClassifyCodecs) -> Blueprint:
    """Return the routes of one method."""
    verb = codecs.method.name.lower()
    blueprint = Blueprint(verb, __name__)

    def view(model: str, version: int | None = None, label: str | None = None) -> FlaskResponse:
        target = Target(model, version, label)
        return flask_response(pipeline.answer(current_context(), target, codecs))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:{verb}", verb, view, methods=["POST"])
    return blueprint
