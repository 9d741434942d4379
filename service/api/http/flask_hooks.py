"""What happens around every request that Flask answers."""

from flask import Flask, g, request
from flask import Response as FlaskResponse

from service.api.http.compression import compressed
from service.api.http.header_checks import check_headers
from service.api.http.request_context import RequestContext, RequestObserver
from service.api.http.responses import Response, as_service_error, error_response
from service.errors import strip


def install_hooks(app: Flask, observer: RequestObserver) -> None:
    """Install the hooks and the error handler on ``app``."""

    @app.before_request
    def begin() -> None:
        g.request_context = observer.begin(request.environ, request.remote_addr or "")
        check_headers(request.environ)

    @app.after_request
    def finish(response: FlaskResponse) -> FlaskResponse:
        response.headers.update(observer.finish(current_context(), response.status_code))
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
