"""What every call has in common: who asks, counting, predictions, errors as statuses."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from service.access.access_control import AccessControl
from service.access.key_file import ANY_RIGHT
from service.api.http.body_budget import BodyBudget
from service.api.http.request_context import RequestContext
from service.api.http.responses import Response, as_service_error
from service.api.inference.prediction_loop import PredictionLoop, Route, RunningPrediction
from service.api.json.value_budget import LARGE_BYTES
from service.errors import InvalidRequestError
from service.grpc.answer_blocks import Answer
from service.grpc.call import Call
from service.grpc.status import CONTENT_TYPE, error_status

Respond = Callable[[Answer], None]


class CallHandling:
    """Answers calls on one event loop."""

    def __init__(
        self, predictions: PredictionLoop, access: AccessControl | None, budget: BodyBudget
    ) -> None:
        """A handling that shares predictions, keys and the bytes of bodies with HTTP.

        Args:
            predictions: answers predictions on the loop.
            access: checks API keys; ``None`` lets every client ask.
            budget: bounds the bytes of requests under way.
        """
        self.predictions = predictions
        self._access = access
        self._budget = budget

    def start(
        self, call: Call, data: bytes, route_of: Callable[[], Route], respond: Respond
    ) -> "CallPrediction":
        """Begin to answer a prediction.

        Args:
            call: the call; if its client hangs up, its place in the queue is freed.
            data: the request as it came.
            route_of: parses it, and returns which model it asks, and in which form.
            respond: is called once with the answer; not if the prediction is abandoned.
        """
        prediction = CallPrediction(self, call, data, respond)
        prediction.start(route_of)
        return prediction

    async def predict(self, call: Call, data: bytes, route_of: Callable[[], Route]) -> Answer:
        """Answer one of several predictions of a call; a cancelled one frees its place."""
        answered: asyncio.Future[Answer] = self.predictions.loop.create_future()

        def respond(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        share = self._budget.open()
        try:
            share.add(len(data))
            prediction = self.start(call, data, route_of, respond)
            try:
                return await answered
            except asyncio.CancelledError:
                prediction.abandon()
                raise
        except Exception as error:
            return self.refusal(call, error)
        finally:
            share.release()

    def check_sender(self, call: Call) -> None:
        """Check that a client has a key that may predict something, where any is needed.

        Raises:
            UnauthenticatedError: it has none.
        """
        if self._access is not None:
            self._access.check_sender(call.environ)

    def admit(self, environ: Mapping[str, Any], route: Route) -> str:
        """Check who asks for a prediction, and return the name of its API key.

        Raises:
            ServiceError: it has no key that may, or has used up its rate.
        """
        return "" if self._access is None else self._access.admit(environ, route.target.model)

    def refusal(self, call: Call, error: Exception) -> Answer:
        """Count and log a call that fails before it has begun, and return its answer."""
        failure = as_service_error(error, "POST", call.head.path)
        _, headers = self.predictions.refuse(call.environ, call.client, failure)
        return Answer(error_status(failure), headers)

    def ask(
        self,
        call: Call,
        work: Callable[[RequestContext], Any],
        *,
        model: str | None = None,
        checks_key: bool = True,
        blocks: bool = False,
    ) -> None:
        """Answer a call that is not a prediction.

        Args:
            call: the call.
            work: returns the response.
            model: the model that is asked; ``None`` for what shows all of them.
            checks_key: whether the call needs a key where reads do.
            blocks: whether the work may take long, and so is done on a thread.
        """
        request = self.predictions.observer.begin(call.environ, call.client)
        finish = partial(self._finish, call, request)
        try:
            if self._access is not None and checks_key and self._access.reads_need_keys:
                self._access.admit(request.environ, model, ANY_RIGHT)
            if blocks:
                self.predictions.observer.flush_counts()
                future = self.predictions.loop.run_in_executor(None, _outcome, work, request)
                future.add_done_callback(lambda done: finish(*done.result()))
                return
        except Exception as error:
            finish(None, error)
            return
        finish(*_outcome(work, request))

    def _finish(
        self, call: Call, request: RequestContext, message: Any, error: Exception | None
    ) -> None:
        observer = self.predictions.observer
        if error is None:
            response = Response(message.SerializeToString(), CONTENT_TYPE)
        else:
            request.failure = as_service_error(error, "POST", call.head.path)
            response = error_status(request.failure)
        headers = observer.finish(request, response.status)
        observer.end(request)
        call.respond(Answer(response, headers))


class CallPrediction:
    """A prediction on its way, of a call that may ask for several."""

    __slots__ = ("_call", "_calls", "_data", "_is_abandoned", "_respond", "_running")

    def __init__(self, calls: CallHandling, call: Call, data: bytes, respond: Respond) -> None:
        self._calls = calls
        self._call = call
        self._data = data
        self._respond = respond
        self._running: RunningPrediction | None = None
        self._is_abandoned = False

    def start(self, route_of: Callable[[], Route]) -> None:
        """Parse the request, and let it be answered."""
        if len(self._data) > LARGE_BYTES:
            # The loop does not wait for that.
            predictions = self._calls.predictions
            future = predictions.loop.run_in_executor(
                predictions.parsers, _outcome, parsed, route_of
            )
            future.add_done_callback(lambda done: self._go_on(*done.result()))
        else:
            self._go_on(*_outcome(parsed, route_of))

    def abandon(self) -> None:
        """Give it up, because the client has."""
        self._is_abandoned = True
        if self._running is not None:
            self._running.abandon()

    def _go_on(self, route: Route | None, error: Exception | None) -> None:
        if self._is_abandoned:
            return
        calls, call = self._calls, self._call
        try:
            if error is not None:
                raise error
            assert route is not None
            environ = call.environ
            key_name = calls.admit(environ, route)
        except Exception as refused:
            self._respond(calls.refusal(call, refused))
            return
        self._running = calls.predictions.start(
            route, environ, call.client, self._data, self._answer, key_name=key_name
        )

    def _answer(self, response: Response, headers: Mapping[str, str]) -> None:
        self._respond(Answer(response, headers))


def _outcome(work: Callable[[Any], Any], argument: Any) -> tuple[Any, Exception | None]:
    """Return what work returns, or what it raises."""
    try:
        return work(argument), None
    except Exception as error:
        return None, error


def parsed(parse: Callable[[], Any]) -> Any:
    """Return what ``parse`` returns.

    Raises:
        InvalidRequestError: the bytes are not the message that is expected.
    """
    try:
        return parse()
    except DecodeError:
        raise InvalidRequestError(
            "The request cannot be parsed: expected a whole message of the method's type."
        ) from None
