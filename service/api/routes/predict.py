"""``POST /v1/models/<model>[/versions/<v>|/labels/<l>]:predict``."""

from flask import Blueprint
from flask import Response as FlaskResponse

from service.api.codecs.codec_selection import PredictCodecs
from service.api.http.flask_hooks import current_context, flask_response
from service.api.http.url_paths import SERVABLE_PATHS
from service.api.inference.pipeline import InferencePipeline, Target


def predict_routes(pipeline: InferencePipeline, codecs: PredictCodecs) -> Blueprint:
    """Return the prediction routes."""
    blueprint = Blueprint("predict", __name__)

    def view(model: str, version: int | None = None, label: str | None = None) -> FlaskResponse:
        target = Target(model, version, label)
        return flask_response(pipeline.answer(current_context(), target, codecs))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:predict", "predict", view, methods=["POST"])
    return blueprint
