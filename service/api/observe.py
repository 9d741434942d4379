"""Flask's part in what happens around every request."""

from flask import Flask, Response, g, request

from service.api.answer import Answer, as_service_error, error_answer
from service.api.compression import compressed
from service.api.exchange import Exchange, Observer
from service.api.head import check_head
from service.errors import strip


def observe(app: Flask, observer: Observer) -> None:
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


def exchange() -> Exchange:
    """Return the current request's exchange."""
    current: Exchange = g.exchange
    return current


def as_response(answer: Answer) -> Response:
    """Return ``answer`` as Flask's response to the current request."""
    answer = compressed(answer, request.headers.get("Accept-Encoding", ""))
    response = Response(answer.body, answer.status, content_type=answer.content_type)
    response.headers.update(answer.headers)
    return response
