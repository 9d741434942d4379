"""``POST /v1/models/<model>[/versions/<v>|/labels/<l>]:predict``."""

from flask import Blueprint, Response

from service.api.codecs.codec_selection import PredictCodecs
from service.api.http.flask_hooks import as_response, exchange
from service.api.http.url_paths import SERVABLE_PATHS
from service.api.inference.pipeline import Inference, Target


def predict_routes(inference: Inference, codecs: PredictCodecs) -> Blueprint:
    """Return the prediction routes."""
    blueprint = Blueprint("predict", __name__)

    def view(model: str, version: int | None = None, label: str | None = None) -> Response:
        target = Target(model, version, label)
        return as_response(inference.answer(exchange(), target, codecs))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:predict", "predict", view, methods=["POST"])
    return blueprint
