"""What every call has in common: who asks, counting, predictions, errors as statuses."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from google.protobuf.message import DecodeError

from service.access.access_control import AccessControl
from service.access.key_file import ANY_RIGHT
from service.api.http.body_budget import BodyBudget
from service.api.http.request_body import too_large
from service.api.http.request_context import RequestContext
from service.api.http.responses import Response, as_service_error
from service.api.inference.event_loop import PredictionLoop, Route
from service.api.json.value_budget import LARGE_BYTES
from service.errors import InvalidRequestError
from service.grpc.status import DETAILS, STATUS, error_status, status_code, status_of

# The metadata that a call may have, by the names that WSGI has for such headers.
_HEADERS = {
    "authorization": "HTTP_AUTHORIZATION",
    "traceparent": "HTTP_TRACEPARENT",
    "x-api-key": "HTTP_X_API_KEY",
    "x-forwarded-for": "HTTP_X_FORWARDED_FOR",
    "x-request-id": "HTTP_X_REQUEST_ID",
}
# No call but a prediction has more to say.
_MOST_BYTES = 1024 * 1024
# The pipeline refuses a time that is over as malformed.
_LEAST_MS = 0.001

Context = Any  # grpc.aio.ServicerContext
Handler = Callable[[bytes, Context], Awaitable[bytes]]
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a prediction was answered with.

    Attributes:
        response: its body is a message, or a ``google.rpc.Status``.
        headers: what goes with it: the request's id, the model's version.
    """

    response: Response
    headers: Headers

    @property
    def is_ok(self) -> bool:
        """Whether the prediction succeeded."""
        return self.response.status == 200


class Calls:
    """Answers calls on one event loop."""

    def __init__(
        self, predictions: PredictionLoop, access: AccessControl | None, budget: BodyBudget
    ) -> None:
        """Calls that share predictions, keys and the bytes of bodies with HTTP.

        Args:
            predictions: answers predictions on the loop.
            access: checks who asks; unset, anybody may.
            budget: bounds the bytes of requests under way.
        """
        self.predictions = predictions
        self._access = access
        self._budget = budget
        self._released: asyncio.Event | None = None

    def hold(self) -> None:
        """Let predictions that begin from now on wait for ``release``."""
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let predictions that wait go on."""
        if self._released is not None:
            self._released.set()

    async def predict(
        self, context: Context, path: str, data: bytes, route_of: Callable[[], Route]
    ) -> Answer:
        """Answer a prediction; whoever hangs up or runs out of time frees its place.

        Args:
            context: the call's.
            path: of the method.
            data: the request as it came.
            route_of: parses it, and returns which model it asks, and in which form.
        """
        if self._released is not None:
            await self._released.wait()
        environ, client = environ_of(context, path), _client(context)
        share = self._budget.open()
        try:
            share.add(len(data))
            if len(data) > LARGE_BYTES:
                # The loop does not wait for that.
                threads = self.predictions.parsers
                route = await self.predictions.loop.run_in_executor(threads, parsed, route_of)
            else:
                route = parsed(route_of)
            if self._access is not None:
                self._access.admit(environ, route.target.model)
            return await self._run(route, environ, client, data)
        except Exception as error:
            failure = as_service_error(error, "POST", path)
            _, headers = self.predictions.refuse(environ, client, failure)
            return Answer(error_status(failure), headers)
        finally:
            share.release()

    async def _run(
        self, route: Route, environ: Mapping[str, Any], client: str, data: bytes
    ) -> Answer:
        answered: asyncio.Future[Answer] = self.predictions.loop.create_future()

        def respond(response: Response, headers: Headers) -> None:
            if not answered.done():
                answered.set_result(Answer(response, headers))

        running = self.predictions.start(route, environ, client, data, respond)
        try:
            return await answered
        except asyncio.CancelledError:
            running.abandon()
            raise

    def bounded(self, handler: Handler) -> Handler:
        """Return a handler, of what is no prediction, that refuses requests of many bytes."""

        async def bounded_handler(data: bytes, context: Context) -> bytes:
            if len(data) > _MOST_BYTES:
                error = too_large(_MOST_BYTES)
                await self.abort(context, error.status, status_of(error), {})
            return await handler(data, context)

        return bounded_handler

    async def ask(
        self,
        context: Context,
        path: str,
        work: Callable[[RequestContext], Any],
        *,
        model: str | None = None,
        checks_key: bool = True,
        blocks: bool = False,
    ) -> bytes:
        """Answer a call that is not a prediction.

        Args:
            context: the call's.
            path: of the method.
            work: returns the response.
            model: the model that is asked; ``None`` for what shows all of them.
            checks_key: whether the call needs a key where reads do.
            blocks: whether the work may take long, and so is done on a thread.
        """
        observer = self.predictions.observer
        request = observer.begin(environ_of(context, path), _client(context))
        try:
            if self._access is not None and checks_key and self._access.reads_need_keys:
                self._access.admit(request.environ, model, ANY_RIGHT)
            if blocks:
                message = await self.predictions.loop.run_in_executor(None, work, request)
            else:
                message = work(request)
        except Exception as error:
            failure = as_service_error(error, "POST", path)
            request.failure = failure
            headers = observer.finish(request, failure.status)
            status = status_of(failure)
            observer.end(request)
            await self.abort(context, failure.status, status, {**failure.headers, **headers})
        headers = observer.finish(request, 200)
        observer.end(request)
        context.set_trailing_metadata(_metadata(headers))
        body: bytes = message.SerializeToString()
        return body

    async def finish(self, context: Context, answer: Answer) -> bytes:
        """Return the response of a prediction, or end its call with the status."""
        response = answer.response
        if not answer.is_ok:
            status = STATUS.FromString(response.body)
            headers = {**response.headers, **answer.headers}
            await self.abort(context, response.status, status, headers)
        context.set_trailing_metadata(_metadata(answer.headers))
        return response.body

    async def abort(
        self, context: Context, http_status: int, status: Any, headers: Headers
    ) -> NoReturn:
        """End a call with a status."""
        metadata = [*_metadata(headers), (DETAILS, status.SerializeToString())]
        await context.abort(status_code(http_status), status.message, tuple(metadata))
        raise AssertionError("abort has returned")


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


def environ_of(context: Context, path: str) -> dict[str, Any]:
    """Return a call's metadata as a request's line and headers, as WSGI names them."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path.encode().decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/2",
    }
    for key, value in context.invocation_metadata() or ():
        name = _HEADERS.get(key)
        if name is not None and isinstance(value, str):
            environ[name] = value
    remaining = context.time_remaining()
    if remaining is not None:
        environ["HTTP_X_REQUEST_TIMEOUT_MS"] = repr(max(remaining * 1000, _LEAST_MS))
    return environ


def _client(context: Context) -> str:
    """Return the client's address, without the kind of address and the port."""
    kind, _, rest = context.peer().partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else ""


def _metadata(headers: Headers) -> tuple[tuple[str, str | bytes], ...]:
    return tuple((name.lower(), value) for name, value in headers.items())
