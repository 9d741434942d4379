"""``GET /``: what the service is, and links to everything else."""

import html
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from flask import Blueprint, request
from flask import Response as FlaskResponse

from service.api.http.flask_hooks import flask_response
from service.api.http.responses import JSON, Response
from service.api.routes.page import Page

_HTML = "text/html"
_ENDPOINTS = {
    "/docs": "every operation, with forms to try it",
    "/openapi.json": "the same, for programs",
    "/v1/models": "all models: their versions, what they take and what they are worth",
    "/v2": "the Open Inference Protocol",
    "/readyz": "whether a model serves",
    "/livez": "whether the process lives",
    "/metrics": "metrics for Prometheus",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Understudy</title>
<h1>Understudy</h1>
<p>A server of TensorFlow models, version {version}. It speaks TensorFlow Serving's REST API and the
Open Inference Protocol.</p>
<h2>Models</h2>
<ul>
{models}
</ul>
<h2>Where to go on</h2>
<ul>
{endpoints}
</ul>
</html>
"""
_HEADERS = {
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


def root_routes(names: Callable[[], list[str]], page: Page | None, *, version: str) -> Blueprint:
    """Return the route.

    Args:
        names: returns the names of the models.
        page: what browsers get; where there is none, a list of links.
        version: of this software.
    """
    blueprint = Blueprint("root", __name__)

    @blueprint.get("/")
    def root() -> FlaskResponse | tuple[dict[str, Any], dict[str, str]]:
        models = names()
        if request.accept_mimetypes.best_match([JSON, _HTML]) == _HTML:
            if page is not None:
                return page.response()
            links = _links(models, version).encode()
            return flask_response(Response(links, f"{_HTML}; charset=utf-8", headers=_HEADERS))
        # KServe's clients of its first protocol look for this status.
        about = {"name": "understudy", "version": version, "status": "alive", "models": models}
        return about | {"endpoints": _ENDPOINTS}, _HEADERS

    return blueprint


def _links(models: list[str], version: str) -> str:
    items = [_item(f"/v1/models/{quote(name, safe='')}", name) for name in models]
    return _PAGE.format(
        version=html.escape(version),
        models="\n".join(items) or "<li>No model yet.</li>",
        endpoints="\n".join(_item(path, path, text) for path, text in _ENDPOINTS.items()),
    )


def _item(path: str, name: str, text: str = "") -> str:
    after = f": {html.escape(text)}" if text else ""
    return f'<li><a href="{html.escape(path)}">{html.escape(name)}</a>{after}</li>'
