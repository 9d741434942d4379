"""``/v2``: health, metadata and inference by the Open Inference Protocol."""

from typing import Any

from flask import Blueprint, request
from flask import Response as FlaskResponse

from service.api.codecs.codec_selection import InferCodecs
from service.api.codecs.oip.infer_request import find_signature
from service.api.codecs.oip.model_config import model_config
from service.api.codecs.oip.model_metadata import model_metadata
from service.api.http.flask_hooks import current_context, flask_response
from service.api.http.query import signature_name
from service.api.inference.pipeline import InferencePipeline, Target
from service.api.request_limits import Limits
from service.api.routes.health import require_ready
from service.errors import UnavailableError
from service.runtime.lifecycle import Lifecycle

V2 = "/v2"
V2_MODEL = f"{V2}/models/<model:model>"
V2_SERVABLE_PATHS = (V2_MODEL, f"{V2_MODEL}/versions/<version:version>")

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "parameters",
    "statistics",
)


def inference_v2_routes(
    pipeline: InferencePipeline,
    codecs: InferCodecs,
    lifecycle: Lifecycle,
    limits: Limits,
    *,
    server_version: str,
) -> Blueprint:
    """Return the protocol's routes.

    Args:
        pipeline: answers predictions.
        codecs: the wire formats of inference.
        lifecycle: knows the models.
        limits: of requests.
        server_version: of this software.
    """
    blueprint = Blueprint("inference_v2", __name__)

    @blueprint.get(V2)
    @blueprint.get(f"{V2}/")
    def server() -> dict[str, Any]:
        return {"name": "understudy", "version": server_version, "extensions": list(EXTENSIONS)}

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
            current_context().version = servable.version
            signature = find_signature(servable.contract, signature_name(request.environ))
            return model_metadata(model, lifecycle.serving_versions(model), signature)

    def config(model: str, version: int | None = None) -> dict[str, Any]:
        with _leased(lifecycle, model, version) as servable:
            current_context().version = servable.version
            signature = find_signature(servable.contract, signature_name(request.environ))
            return model_config(model, signature, lifecycle.policy(model), limits)

    def model_ready(model: str, version: int | None = None) -> dict[str, Any]:
        with _leased(lifecycle, model, version) as servable:
            current_context().version = servable.version
            if servable.stuck:
                raise UnavailableError(
                    f"Model {model!r} is stuck: a prediction does not return.", retry_after_s=30
                )
            return {"name": model, "ready": True}

    def view(model: str, version: int | None = None) -> FlaskResponse:
        return flask_response(pipeline.answer(current_context(), Target(model, version), codecs))

    for path in V2_SERVABLE_PATHS:
        blueprint.add_url_rule(path, view_func=metadata)
        blueprint.add_url_rule(f"{path}/config", view_func=config)
        blueprint.add_url_rule(f"{path}/ready", view_func=model_ready)
        blueprint.add_url_rule(f"{path}/infer", "infer", view, methods=["POST"])
    return blueprint


def _leased(lifecycle: Lifecycle, model: str, version: int | None) -> Any:
    lifecycle.require(model)
    current_context().model = model
    return lifecycle.lease(model, version)
