"""``GET /models/<model>`` and ``/ui/<file>``: the page for people, of static files alone."""

import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, request
from flask import Response as FlaskResponse

from service.api.http.flask_hooks import flask_response
from service.api.http.responses import Response
from service.errors import NotFoundError

FOLDER = Path(__file__).resolve().parents[1] / "page"
# All comes from this host, in files: neither scripts nor styles stand in the markup.
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_MODELS = "<!-- models -->"


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


def page_routes(page: "Page") -> Blueprint:
    """Return the routes of the page's files, and of the addresses that open it at a model."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/models/<model:model>")
    def at_model(model: str) -> FlaskResponse:
        return page.response()

    @blueprint.get("/ui/<path:file>")
    def file(file: str) -> FlaskResponse:
        return page.file(file)

    return blueprint


class Page:
    """The page's files, read once."""

    def __init__(self, names: Callable[[], list[str]]) -> None:
        """The page, with its files in memory.

        Args:
            names: returns the models, which browsers without scripts get as links.
        """
        self._names = names
        self._files = {
            path.name: _File(
                path.read_bytes(),
                _TYPES[path.suffix],
                hashlib.sha256(path.read_bytes()).hexdigest()[:24],
            )
            for path in sorted(FOLDER.iterdir())
            if path.suffix in _TYPES
        }

    def response(self) -> FlaskResponse:
        """Return the page itself."""
        items = [
            f'<li><a href="/v1/models/{html.escape(quote(name, safe=""))}">{html.escape(name)}</a>'
            for name in self._names()
        ]
        models = "\n".join(items) or "<li>No model yet."
        text = self._files["index.html"].body.decode().replace(_MODELS, models)
        headers = {**_headers(), "Vary": "Accept", "Cache-Control": "no-cache"}
        return flask_response(Response(text.encode(), _TYPES[".html"], headers=headers))

    def file(self, name: str) -> FlaskResponse:
        """Return a file; only its ETag where the browser has it already.

        Raises:
            NotFoundError: the page has no such file.
        """
        found = self._files.get(name)
        if found is None or name == "index.html":
            raise NotFoundError("The page has no such file.")
        if request.if_none_match.contains_weak(found.etag):
            response = FlaskResponse(status=304, headers=_headers())
            del response.headers["Content-Type"]
        else:
            response = flask_response(Response(found.body, found.content_type, headers=_headers()))
        # Weak, as the body may be packed for one client and not for another.
        response.set_etag(found.etag, weak=True)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _headers() -> dict[str, str]:
    return {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
