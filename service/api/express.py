"""The express lane: predictions pass Flask by.

Routing, request and response objects and hooks of Flask cost as much as all the rest of a small
prediction (docs/performance.md). What is done is the same, by the same code: the endpoint that
Flask's route calls, the observer, the words of errors. All other requests go to Flask.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from service.api.answer import Answer, as_service_error, error_answer
from service.api.compression import compressed
from service.api.exchange import Exchange, Observer
from service.api.inference import Target
from service.api.predict import Predict

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# As in ``routing``; what is unusual (a name beyond ASCII, a trailing slash) is left to Flask.
_PATH = re.compile(
    r"/v1/models/([!-.0-9;-~]+)(?:/versions/([0-9]{1,18})|/labels/([!-.0-9;-~]+))?:predict"
)
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class ExpressLane:
    """A WSGI application in front of Flask's.

    Attributes:
        beside: Flask's.
    """

    def __init__(self, beside: "WSGIApplication", observer: Observer, predict: Predict) -> None:
        self.beside = beside
        self._observer = observer
        self._predict = predict

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ["REQUEST_METHOD"] == "POST" and _PATH.fullmatch(environ["PATH_INFO"])
        if not path:
            return self.beside(environ, start_response)
        model, version, label = path.groups()
        exchange = self._observer.begin(environ)
        try:
            target = Target(model, None if version is None else int(version), label)
            answer = compressed(
                self._answer(exchange, target), environ.get("HTTP_ACCEPT_ENCODING", "")
            )
            headers = self._observer.finish(exchange, answer.status)
        finally:
            self._observer.end()
        start_response(
            _STATUS_LINES.get(answer.status, f"{answer.status} Unknown"),
            [
                ("Content-Type", answer.content_type),
                ("Content-Length", str(len(answer.body))),
                *answer.headers.items(),
                *headers.items(),
            ],
        )
        return (answer.body,)

    def _answer(self, exchange: Exchange, target: Target) -> Answer:
        try:
            return self._predict.answer(exchange, target)
        except Exception as error:
            environ = exchange.environ
            failure = as_service_error(error, environ["REQUEST_METHOD"], environ["PATH_INFO"])
            exchange.failure = failure
            return error_answer(failure)
