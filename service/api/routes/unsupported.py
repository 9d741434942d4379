"""Operations of other servers that are not supported here: 501, with what to use instead."""

from typing import Any, NoReturn

from flask import Blueprint

from service.api.http.flask_hooks import current_context
from service.api.http.url_paths import SERVABLE_PATHS
from service.api.routes.oip_inference import V2_SERVABLE_PATHS
from service.errors import ServiceError
from service.runtime.lifecycle import Lifecycle

# By what ends the path; {model} is the path to the model.
_V2 = {
    "generate": "Generating text is not supported here; POST {model}/infer takes tensors.",
    "generate_stream": "Generating text is not supported here; POST {model}/infer takes tensors.",
    "infer_stream": "Answers in parts are not supported here; POST {model}/infer answers at once.",
}
_EXPLAIN = "Explanations are not supported here; POST {model}:predict answers predictions."


def unsupported_routes(lifecycle: Lifecycle) -> Blueprint:
    """Return the routes that answer 501 for known models, and 404 for others."""
    blueprint = Blueprint("unsupported", __name__)

    def refuse(model: str, words: str) -> NoReturn:
        lifecycle.require(model)
        current_context().model = model
        raise ServiceError(words, status=501)

    def explain(model: str, **_: Any) -> NoReturn:
        refuse(model, _EXPLAIN.format(model=f"/v1/models/{model}"))

    def stream(words: str) -> Any:
        def view(model: str, **_: Any) -> NoReturn:
            refuse(model, words.format(model=f"/v2/models/{model}"))

        return view

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:explain", "explain", explain, methods=["POST"])
    for verb, words in _V2.items():
        view = stream(words)
        for path in V2_SERVABLE_PATHS:
            blueprint.add_url_rule(f"{path}/{verb}", verb, view, methods=["POST"])
    return blueprint
