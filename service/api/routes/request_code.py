"""``POST /ui/models/<m>/versions/<v>/code``: a request that the page has made, as code to copy."""

from typing import Any

from flask import Blueprint, request

from service.api.http.flask_hooks import current_context
from service.api.http.request_body import json_body, json_value
from service.api.http.url_paths import MODEL
from service.api.routes.code_samples import CodeRequest, code_samples
from service.errors import InvalidRequestError, NotFoundError
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

_EXPECTED = (
    'Expected {"signature": <name>, "row": {<input>: <value>, ...}, "origin": <scheme and host>, '
    '"is_pinned": <whether the path names the version>, '
    '"is_whole": <whether the answer has other rows than the input>}.'
)
_KINDS = {"signature": str, "row": dict, "origin": str, "is_pinned": bool, "is_whole": bool}


def code_routes(lifecycle: Lifecycle, settings: Settings) -> Blueprint:
    """Return the route.

    Args:
        lifecycle: knows the models.
        settings: say whether a request needs a key, and how large a body may be.
    """
    blueprint = Blueprint("code", __name__)

    @blueprint.post(f"/ui{MODEL.removeprefix('/v1')}/versions/<version:version>/code")
    def as_code(model: str, version: int) -> dict[str, Any]:
        current_context().model = model
        value = json_value(json_body(request.environ, most=settings.max_body_bytes))
        is_expected = isinstance(value, dict) and value.keys() == _KINDS.keys()
        if not is_expected or not all(isinstance(value[key], _KINDS[key]) for key in _KINDS):
            raise InvalidRequestError(_EXPECTED)
        with lifecycle.lease(model, version) as servable:
            signature = servable.contract.get(value["signature"])
        if signature is None:
            raise NotFoundError(f"There is no signature {value['signature'][:100]!r}.")
        asked = CodeRequest(
            value["origin"],
            model,
            version if value["is_pinned"] else None,
            signature,
            value["row"],
            settings.keys_file is not None,
            value["is_whole"],
        )
        return {"samples": code_samples(asked), "body": asked.text}

    return blueprint
