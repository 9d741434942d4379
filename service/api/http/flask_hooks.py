"""Flask's part in what happens around every request."""

from flask import Flask, Response, g, request

from service.api.http.compression import compressed
from service.api.http.head_checks import check_head
from service.api.http.request_context import RequestContext, RequestObserver
from service.api.http.responses import Answer, as_service_error, error_answer
from service.errors import strip


def observe(app: Flask, observer: RequestObserver) -> None:
    """Install the hooks and the error handler on ``app``."""

    @app.before_request
    def begin() -> None:
        g.exchange = observer.begin(request.environ, request.remote_addr or "")
        check_head(request.environ)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers.update(observer.finish(exchange(), response.status_code))
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        observer.end(exchange())

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        failure = as_service_error(error, request.method, request.path)
        exchange().failure = failure
        if failure is not error and failure.__cause__ is None:
            # Flask's own errors, which it keeps in the request.
            strip(error)
        return as_response(error_answer(failure))


def exchange() -> RequestContext:
    """Return the current request's exchange."""
    current: RequestContext = g.exchange
    return current


def as_response(answer: Answer) -> Response:
    """Return ``answer`` as Flask's response to the current request."""
    answer = compressed(answer, request.headers.get("Accept-Encoding", ""))
    response = Response(answer.body, answer.status, content_type=answer.content_type)
    response.headers.update(answer.headers)
    return response
