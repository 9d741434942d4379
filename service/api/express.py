"""The express lane: predictions pass Flask by.

Routing, request and response objects and hooks of Flask cost as much as all the rest of a small
prediction (docs/performance.md). What is done is the same, by the same code: the endpoint that
Flask's route calls, the observer, the words of errors. All other requests go to Flask.
"""

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from service.api.answer import Answer, as_service_error, error_answer
from service.api.compression import compressed
from service.api.exchange import Exchange, Observer
from service.api.head import check_head
from service.api.inference import Target
from service.api.routing import VERSION

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# As in ``routing``; what is unusual (a name beyond ASCII, a trailing slash) is left to Flask.
_PREDICT = re.compile(
    rf"/v1/models/([!-.0-9;-~]+)(?:/versions/({VERSION})|/labels/([!-.0-9;-~]+))?:predict"
)
_INFER = re.compile(rf"/v2/models/([!-.0-9;-~]+)(?:/versions/({VERSION}))?()/infer")
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

Endpoint = Callable[[Exchange, Target], Answer]


class ExpressLane:
    """A WSGI application in front of Flask's.

    Attributes:
        beside: Flask's.
    """

    def __init__(
        self,
        beside: "WSGIApplication",
        observer: Observer,
        *,
        predict: Endpoint,
        infer: Endpoint,
    ) -> None:
        """Prepare.

        Args:
            beside: Flask's application.
            observer: sees the requests begin and end.
            predict: answers ``:predict``.
            infer: answers the Open Inference Protocol's ``/infer``.
        """
        self.beside = beside
        self._observer = observer
        self._endpoints = ((_PREDICT, predict), (_INFER, infer))

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            for path, endpoint in self._endpoints:
                found = path.fullmatch(environ["PATH_INFO"])
                if found:
                    model, version, label = found.groups()
                    target = Target(model, int(version) if version else None, label or None)
                    return self._serve(environ, start_response, endpoint, target)
        return self.beside(environ, start_response)

    def _serve(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        endpoint: Endpoint,
        target: Target,
    ) -> Iterable[bytes]:
        exchange = self._observer.begin(environ)
        try:
            answer = compressed(
                _answer(endpoint, exchange, target), environ.get("HTTP_ACCEPT_ENCODING", "")
            )
            headers = self._observer.finish(exchange, answer.status)
        finally:
            self._observer.end(exchange)
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


def _answer(endpoint: Endpoint, exchange: Exchange, target: Target) -> Answer:
    try:
        check_head(exchange.environ)
        return endpoint(exchange, target)
    except Exception as error:
        environ = exchange.environ
        failure = as_service_error(error, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        exchange.failure = failure
        return error_answer(failure)
