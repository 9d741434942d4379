"""What happens around every request that Flask answers."""

from flask import Flask, g, request
from flask import Response as FlaskResponse

from service.api.http.compression import compressed
from service.api.http.header_checks import check_headers
from service.api.http.request_context import RequestContext, RequestObserver
from service.api.http.responses import Response, as_service_error, error_response
from service.api.http.route_access import ADMITTED, RouteAccess
from service.errors import strip


def install_hooks(app: Flask, observer: RequestObserver, access: RouteAccess) -> None:
    """Install the hooks and the error handler on ``app``.

    Args:
        app: the application.
        observer: sees requests begin and end.
        access: checks who asks.
    """

    @app.before_request
    def begin() -> FlaskResponse | None:
        g.request_context = observer.begin(request.environ, request.remote_addr or "")
        check_headers(request.environ)
        key_name = request.environ.get("asgi.scope", {}).get(ADMITTED)
        if key_name is None:
            arguments = request.view_args or {}
            key_name = access.check_route(
                request.environ, request.method, request.endpoint or "", arguments
            )
        g.request_context.key_name = key_name
        preflight = observer.cross_origin.preflight(request.environ)
        return None if preflight is None else FlaskResponse(status=204, headers=preflight)

    @app.after_request
    def finish(response: FlaskResponse) -> FlaskResponse:
        headers = observer.finish(current_context(), response.status_code)
        response.vary.update(headers.pop("Vary", "").split())
        response.headers.update(headers)
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        observer.end(current_context())

    @app.errorhandler(Exception)
    def failed(error: Exception) -> FlaskResponse:
        failure = as_service_error(error, request.method, request.path)
        current_context().failure = failure
        if failure is not error and failure.__cause__ is None:
            # Flask's own errors, which it keeps in the request.
            strip(error)
        return flask_response(error_response(failure))


def current_context() -> RequestContext:
    """Return the current request's context."""
    current: RequestContext = g.request_context
    return current


def flask_response(response: Response) -> FlaskResponse:
    """Return ``response`` as Flask's response to the current request."""
    response = compressed(response, request.headers.get("Accept-Encoding", ""))
    found = FlaskResponse(response.body, response.status, content_type=response.content_type)
    found.headers.update(response.headers)
    return found
