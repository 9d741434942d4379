"""The ASGI application: predictions on the event loop, all else to Flask in threads."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from a2wsgi import WSGIMiddleware
from flask import Flask

from service.api.http.body_budget import UNCOUNTED_BYTES, BodyBudget, BodyShare
from service.api.http.header_checks import check_headers
from service.api.http.request_body import content_encoding
from service.api.http.responses import Response, as_service_error
from service.api.http.route_access import ADMITTED
from service.api.inference.prediction_loop import PredictionLoop, Route
from service.api.routes.admin import check_token
from service.app import Predictions, create_app
from service.errors import ServiceError
from service.settings.process_settings import process_settings
from service.settings.settings import Settings

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_CHUNKED = b"transfer-encoding"
_LENGTH = b"content-length"
_HOST = b"host"
# Paths below a model whose answers wait for the event store.
_OF_EVENTS = (":feedback", "/audits", "/drift")


class DisconnectedError(Exception):
    """The client hung up while its body was read."""


class Application:
    """The service as an ASGI application.

    A body is read before anything is done with it, so that slow clients hold no thread.

    Attributes:
        flask: the Flask application.
        budget: bounds the bytes of bodies under way.
    """

    def __init__(self, flask: Flask, settings: Settings) -> None:
        """An application that starts its event loop at the first request.

        Args:
            flask: the WSGI application; what its extension "predictions" routes does not go there.
            settings: the service's.
        """
        self.flask = flask
        self.budget = BodyBudget(settings.max_bodies_bytes)
        self._max_body_bytes = settings.max_body_bytes
        self._admin_token = settings.admin_token
        self._predictions: Predictions = flask.extensions["predictions"]
        wsgi: Any = flask.wsgi_app
        self._in_threads = WSGIMiddleware(wsgi, workers=settings.threads)
        # Apart, so that an event store that does not answer holds up no probe.
        self._in_threads_of_events = WSGIMiddleware(wsgi, workers=settings.threads)
        self._loop: PredictionLoop | None = None

    def predictions(self) -> PredictionLoop:
        """Return what answers predictions on the loop that runs."""
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop.loop is not loop:
            parts = self._predictions
            self._loop = PredictionLoop(
                loop, parts.pipeline, parts.observer.on_loop(loop), parts.access
            )
        return self._loop

    def route(self, method: str, path: str) -> Route | None:
        """Return where a request to predict leads; ``None`` for all others."""
        return self._predictions.routes.find(path) if method == "POST" else None

    def __call__(self, *call: Any) -> Any:
        """Answer one request: as ASGI has it (scope, receive, send), or as WSGI.

        Where a WSGI server hosts the application, Flask answers predictions as well.
        """
        return self._answer(*call) if len(call) == 3 else self.flask(*call)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._in_threads(scope, receive, send)  # type: ignore[arg-type]
            return
        scope = _in_origin_form(scope)
        share = self.budget.open()
        try:
            await self._answer_http(scope, receive, send, share)
        except DisconnectedError:
            return
        finally:
            share.release()

    async def _answer_http(
        self, scope: Scope, receive: Receive, send: Send, share: BodyShare
    ) -> None:
        route = self.route(scope["method"], scope["path"])
        environ = _environ(scope)
        key_name = ""
        most = self._max_body_bytes
        try:
            # Before the body is read: a client that waits for 100 Continue gets these errors.
            check_headers(environ)
            if route is not None:
                key_name = self.predictions().admit(route, environ)
                content_encoding(environ)
                self._predictions.pipeline.lifecycle.require(route.target.model)
            elif self._predictions.route_access is not None:
                access = self._predictions.route_access
                key_name = access.check(environ, scope["method"], scope["path"])
                if not (key_name or self._is_trusted(environ)):
                    most = min(most, UNCOUNTED_BYTES)
            scope[ADMITTED] = key_name
            body = await self._read(scope, receive, share, most)
            if body is None and most < self._max_body_bytes:
                raise ServiceError(
                    f"Expected a body of at most {most} bytes, as of each request without an API "
                    "key that is known here.",
                    status=413,
                )
        except DisconnectedError:
            raise
        except Exception as error:
            share.release()
            failure = as_service_error(error, scope["method"], scope["path"])
            response, headers = self.predictions().refuse(environ, _client(scope), failure)
            await _send(send, response, headers.items())
            return
        if route is None or body is None:
            await self._answer_in_thread(scope, body, send)
        else:
            await self._predict(route, environ, _client(scope), key_name, body, receive, send)

    def _is_trusted(self, environ: Mapping[str, Any]) -> bool:
        """Whether a request that needs no key may take room from those that have one."""
        access = self._predictions.access
        if access is None or not access.has_keys:
            return True
        try:
            check_token(self._admin_token, environ.get("HTTP_AUTHORIZATION", ""))
        except ServiceError:
            return False
        return True

    async def _read(
        self, scope: Scope, receive: Receive, share: BodyShare, most: int
    ) -> bytes | None:
        """Return the body; ``None`` where it is larger than ``most``, and was not read."""
        length = _header(scope, _LENGTH)
        if length and length.isdigit() and int(length) > most:
            return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise DisconnectedError
            part = message.get("body", b"")
            if part:
                size += len(part)
                if size > most:
                    return None
                share.add(len(part))
                parts.append(part)
            if not message.get("more_body"):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _answer_in_thread(self, scope: Scope, body: bytes | None, send: Send) -> None:
        """Let Flask answer; a body that is too large is announced as one byte more than allowed."""
        length = self._max_body_bytes + 1 if body is None else len(body)
        headers = [
            (name, value) for name, value in scope["headers"] if name not in (_CHUNKED, _LENGTH)
        ]
        if length or _header(scope, _LENGTH) is not None:
            headers.append((_LENGTH, b"%d" % length))
        message = {"type": "http.request", "body": body or b"", "more_body": False}

        async def replay() -> Message:
            return message

        scope = {**scope, "headers": headers}
        self.predictions().observer.flush_counts()
        of_events = scope["path"].endswith(_OF_EVENTS)
        threads = self._in_threads_of_events if of_events else self._in_threads
        await threads(scope, replay, send)  # type: ignore[arg-type]

    async def _predict(
        self,
        route: Route,
        environ: Mapping[str, Any],
        client: str,
        key_name: str,
        body: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        answered: asyncio.Future[tuple[Response, Mapping[str, str]]] = (
            asyncio.get_running_loop().create_future()
        )

        def respond(response: Response, headers: Mapping[str, str]) -> None:
            if not answered.done():
                answered.set_result((response, headers))

        predictions = self.predictions()
        running = predictions.start(route, environ, client, body, respond, key_name=key_name)
        gone: asyncio.Future[Message] = asyncio.ensure_future(receive())
        try:
            await asyncio.wait((answered, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not answered.done():
                running.abandon()
        if answered.done():
            response, headers = answered.result()
            await _send(send, response, headers.items())


def create_application(settings: Settings | None = None) -> Application:
    """Return the ASGI application.

    Args:
        settings: read from the environment unless given.

    Raises:
        SettingError: an environment variable does not hold what its setting takes.
    """
    settings = settings or process_settings()
    return Application(create_app(settings), settings)


async def _send(send: Send, response: Response, more: Iterable[tuple[str, str]]) -> None:
    headers = [
        ("content-type", response.content_type),
        ("content-length", str(len(response.body))),
        *response.headers.items(),
        *more,
    ]
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ],
        }
    )
    await send({"type": "http.response.body", "body": response.body})


def _in_origin_form(scope: Scope) -> Scope:
    """Return a request with a path; the host of an absolute form counts (RFC 9112, 3.2.2)."""
    path, headers = scope["path"], scope["headers"]
    # Schemes are of any case (RFC 3986, 3.1).
    if path[:8].lower().startswith(("http://", "https://")):
        try:
            target = urlsplit(path)
        except ValueError:
            return scope  # Nothing has such a path.
        path, host = target.path, target.netloc.rpartition("@")[2].encode()
        headers = [*(each for each in headers if each[0] != _HOST), (_HOST, host)]
    # An address without a path asks for the root (RFC 9110, section 4.2.3).
    return {**scope, "path": path or "/", "headers": headers}


def _header(scope: Scope, key: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == key), None)


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _environ(scope: Scope) -> dict[str, Any]:
    """Return a request's line and headers, as WSGI names them."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
