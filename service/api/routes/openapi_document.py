"""``GET /openapi.json`` and ``GET /docs``."""

from functools import cache, partial
from pathlib import Path

from flask import Blueprint
from flask import Response as FlaskResponse

from service.api import openapi
from service.api.http.flask_hooks import flask_response
from service.api.http.responses import JSON, Response, json_bytes
from service.api.openapi.document import Documents
from service.api.routes.page import FOLDER

# The page loads nothing from elsewhere, and runs no script but its own.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HERE = Path(openapi.__file__).parent
# By endpoint: the path, the files that it is made of, and what they are.
_FILES = {
    "page": ("/docs", (_HERE / "page.html",), "text/html; charset=utf-8"),
    # It reads JSON and looks as the page for people does, also where that page is turned off.
    "script": (
        "/docs/page.js",
        (FOLDER / "json.js", _HERE / "page.js"),
        "text/javascript; charset=utf-8",
    ),
    "style": (
        "/docs/page.css",
        (FOLDER / "base.css", _HERE / "page.css"),
        "text/css; charset=utf-8",
    ),
}


def openapi_routes(documents: Documents) -> Blueprint:
    """Return the routes of the API's own description."""
    blueprint = Blueprint("openapi", __name__)

    @blueprint.get("/openapi.json")
    def document() -> FlaskResponse:
        return flask_response(Response(json_bytes(documents.document()), JSON))

    for endpoint, (path, files, content_type) in _FILES.items():
        view = partial(_file, files, content_type)
        blueprint.add_url_rule(path, endpoint, view, methods=["GET"])
    return blueprint


def _file(files: tuple[Path, ...], content_type: str) -> FlaskResponse:
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return flask_response(Response(_read(files), content_type, headers=headers))


@cache
def _read(files: tuple[Path, ...]) -> bytes:
    return b"".join(file.read_bytes() for file in files)
