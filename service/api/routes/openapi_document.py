"""``GET /openapi.json`` and ``GET /docs``."""

from functools import cache, partial
from pathlib import Path

import orjson
from flask import Blueprint
from flask import Response as FlaskResponse

from service.api import openapi
from service.api.http.flask_hooks import flask_response
from service.api.http.responses import JSON, Response
from service.api.openapi.document import Documents

# The page loads nothing from elsewhere, and runs no script but its own.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "page": ("/docs", "page.html", "text/html; charset=utf-8"),
    "script": ("/docs/page.js", "page.js", "text/javascript; charset=utf-8"),
    "style": ("/docs/page.css", "page.css", "text/css; charset=utf-8"),
}


def openapi_routes(documents: Documents) -> Blueprint:
    """Return the routes of the API's own description."""
    blueprint = Blueprint("openapi", __name__)

    @blueprint.get("/openapi.json")
    def document() -> FlaskResponse:
        return flask_response(Response(orjson.dumps(documents.document()), JSON))

    for endpoint, (path, name, content_type) in _FILES.items():
        view = partial(_file, name, content_type)
        blueprint.add_url_rule(path, endpoint, view, methods=["GET"])
    return blueprint


def _file(name: str, content_type: str) -> FlaskResponse:
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return flask_response(Response(_read(name), content_type, headers=headers))


@cache
def _read(name: str) -> bytes:
    return (Path(openapi.__file__).parent / name).read_bytes()
