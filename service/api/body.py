"""The body of a request, as bytes, or a clear error."""

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from service.errors import InvalidRequestError, ServiceError

# The last is what curl calls a body unless told otherwise; TensorFlow Serving's own examples
# send it so.
_JSON_TYPES = ("", "application/json", "application/x-www-form-urlencoded")


def json_body() -> bytes:
    """Return the body of a request that should bring JSON.

    Raises:
        ServiceError: 415, the content type is another.
        RequestEntityTooLarge: the body is larger than the application allows.
        ServiceError: 408, the client paused for too long.
        InvalidRequestError: the body ended early or its chunks are malformed.
    """
    if request.mimetype not in _JSON_TYPES:
        raise ServiceError(
            f"Expected a body of Content-Type application/json, not {request.mimetype[:60]!r}.",
            status=415,
        )
    try:
        body = request.get_data(cache=False)
        # Where the length is not told beforehand, Werkzeug stops at the limit without a word.
        if request.content_length is None and request.environ["wsgi.input"].read(1):
            raise RequestEntityTooLarge
        if request.content_length is not None and len(body) < request.content_length:
            raise EOFError("the body ended early")
        return body
    except RequestEntityTooLarge:
        raise
    except Exception as error:
        # Werkzeug turns what the socket says into an exception of its own.
        if isinstance(error.__context__, BlockingIOError):
            raise ServiceError("The body did not come in time.", status=408) from error
        # Each WSGI server has exceptions of its own for what a client sends wrongly.
        raise InvalidRequestError(
            "The body is not well-formed: its chunks or its length are wrong."
        ) from error
