"""Predictions on the event loop, in batches of those that come at the same moment.

Short work is done on the loop; long work (large bodies, packed ones, pictures, large responses)
on a thread. All methods are called on the loop's thread.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import thread_time
from typing import Any
from weakref import WeakKeyDictionary

from service.access.access_control import AccessControl
from service.api.codecs.codec_interface import CodecSelector
from service.api.http.compression import compressed
from service.api.http.request_body import content_encoding, too_large, unpacked
from service.api.http.request_context import RequestContext, RequestObserver
from service.api.http.responses import Response, as_service_error, error_response
from service.api.http.url_paths import VERSION
from service.api.inference.loop_time_slices import LoopTimeSlices
from service.api.inference.parse_cost import SMALL_BYTES, ParseCost, is_large
from service.api.inference.pipeline import InferencePipeline, Prediction, Target
from service.errors import AbandonedError, InvalidRequestError, ServiceError, strip
from service.events.event_log import Answered
from service.runtime.batching import BatchQueue, Ticket
from service.runtime.servable import Servable

# Threads that parse what is large; more would only contend for the interpreter.
_PARSERS = 4
# Idle ones cost little; each signature runs one call at a time.
_RUNNERS = 64

# Flask answers requests to other names, for example beyond ASCII.
_NAME = "[ -.0-9;-~]+"

Respond = Callable[[Response, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads.

    Attributes:
        target: who is request.
        codecs: the wire formats of the route.
        write_error: returns the response to a request that failed.
    """

    target: Target
    codecs: CodecSelector
    write_error: Callable[[ServiceError], Response] = error_response


class PredictionRoutes:
    """The paths of predictions; unusual ones are left to Flask."""

    def __init__(self, verbs: Mapping[str, CodecSelector], infer: CodecSelector) -> None:
        """The routes of both protocols.

        Args:
            verbs: the codecs of ``/v1/models/...:<verb>``.
            infer: the codecs of ``/v2/models/.../infer``.
        """
        self._verbs = verbs
        self._infer = infer
        self._v1 = re.compile(
            rf"/v1/models/({_NAME})(?:/versions/({VERSION})|/labels/({_NAME}))?"
            rf":({'|'.join(verbs)})"
        )
        self._v2 = re.compile(rf"/v2/models/({_NAME})(?:/versions/({VERSION}))?/infer")

    def find(self, path: str) -> Route | None:
        """Return where a decoded path leads, if it is one of a prediction."""
        if found := self._v1.fullmatch(path):
            model, version, label, verb = found.groups()
            target = Target(model, int(version) if version else None, label)
            return Route(target, self._verbs[verb])
        if found := self._v2.fullmatch(path):
            model, version = found.groups()
            return Route(Target(model, int(version) if version else None), self._infer)
        return None


class PredictionLoop:
    """Answers predictions on one event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pipeline: InferencePipeline,
        observer: RequestObserver,
        access: AccessControl | None = None,
    ) -> None:
        """A loop without predictions under way.

        Args:
            loop: the loop that calls.
            inference: what a prediction is.
            observer: sees requests begin and end.
            access: checks API keys; ``None`` lets every client ask.
        """
        self._access = access
        self.loop = loop
        self.pipeline = pipeline
        self.observer = observer
        self.parsers = ThreadPoolExecutor(_PARSERS, thread_name_prefix="parse")
        self._runners = ThreadPoolExecutor(_RUNNERS, thread_name_prefix="infer")
        self._time_slices = LoopTimeSlices(loop)
        self._queues: WeakKeyDictionary[Servable, dict[str, BatchQueue]] = WeakKeyDictionary()
        self._parse_costs: WeakKeyDictionary[Servable, ParseCost] = WeakKeyDictionary()
        self._answered: list[Answered] = []

    def admit(self, route: Route, environ: Mapping[str, Any]) -> str:
        """Check whether a request may be asked, before its body is read.

        Args:
            route: where its path leads.
            environ: its line and headers, as WSGI names them.

        Returns:
            The name of its API key; empty where none is needed.

        Raises:
            ServiceError: 421, another host is asked; 401, it lacks a key that may ask this; 429,
                the key has used up its rate.
        """
        access = self._access
        if access is None or access.is_open:
            return ""
        access.hosts.check(environ.get("HTTP_HOST"))
        return access.admit(environ, route.target.model)

    def start(
        self,
        route: Route,
        environ: Mapping[str, Any],
        client: str,
        body: bytes,
        respond: Respond,
        *,
        key_name: str = "",
    ) -> "RunningPrediction":
        """Begin to answer a request whose body has been read.

        Args:
            route: where its path leads.
            environ: its line and headers, as WSGI names them.
            client: the client's address.
            body: its body, as it came.
            respond: is called once, with the answer and the headers that it carries besides; not
                if the request is abandoned.
            key_name: the name of its API key, as ``admit`` returns it.
        """
        context = self.observer.begin(environ, client)
        context.key_name = key_name
        running = RunningPrediction(self, context, respond, route.write_error)
        self._time_slices.begin(context.start, running.start, route, body)
        return running

    def refuse(
        self, environ: Mapping[str, Any], client: str, error: ServiceError
    ) -> tuple[Response, Mapping[str, str]]:
        """Refuse a request whose body is not read; return the answer and its further headers.

        Args:
            environ: its line and headers, as WSGI names them.
            client: the client's address.
            error: why it is refused.
        """
        context = self.observer.begin(environ, client)
        context.failure = error
        response = error_response(error)
        headers = self.observer.finish(context, response.status)
        self.observer.end(context)
        return response, headers

    def queue(self, prediction: Prediction) -> BatchQueue:
        """Return the queue of a checked prediction's signature."""
        servable, signature = prediction.servable, prediction.request.signature
        queues = self._queues.get(servable)
        if queues is None:
            queues = self._queues[servable] = {}
        queue = queues.get(signature.name)
        if queue is None:
            queue = queues[signature.name] = BatchQueue(
                partial(servable.predict, signature),
                most_rows=servable.most_rows,
                cost=servable.cost(signature),
                note_batch=servable.note_batch,
                loop=self.loop,
                threads=self._runners,
                stuck_after_s=self.pipeline.limits.timeout_s,
                observe=servable.observer(signature),
                trace_batch=self.observer.batch_tracer(
                    servable.model, servable.version, signature.name
                ),
                signature=signature.name,
                feed=servable.feed,
            )
        return queue

    def parse_cost(self, servable: Servable) -> ParseCost:
        """Return how long bodies for a servable take to parse."""
        cost = self._parse_costs.get(servable)
        if cost is None:
            cost = self._parse_costs[servable] = ParseCost()
        return cost

    def note_answered(self, answered: Answered) -> None:
        """Show a request to the event log, with the others that are answered in this turn."""
        if not self._answered:
            self.loop.call_soon(self._note_events)
        self._answered.append(answered)

    def _note_events(self) -> None:
        answered, self._answered = self._answered, []
        if self.pipeline.events is not None:
            self.pipeline.events.see(answered)

    def close(self) -> None:
        """Take no more work for the threads; what runs is not waited for."""
        self.parsers.shutdown(wait=False, cancel_futures=True)
        self._runners.shutdown(wait=False, cancel_futures=True)


class RunningPrediction:
    """One request on its way through the loop."""

    __slots__ = ("_context", "_loop", "_prediction", "_respond", "_ticket", "_write_error")

    def __init__(
        self,
        loop: PredictionLoop,
        context: RequestContext,
        respond: Respond,
        write_error: Callable[[ServiceError], Response],
    ) -> None:
        self._loop = loop
        self._write_error = write_error
        self._context = context
        self._respond: Respond | None = respond
        self._prediction: Prediction | None = None
        self._ticket: Ticket | None = None

    def start(self, route: Route, body: bytes) -> None:
        """Check the request and let it wait for its batch."""
        if self._respond is None:
            self._fail(AbandonedError())
            return
        pipeline, context = self._loop.pipeline, self._context
        try:
            pipeline.require_model(context, route.target.model)
            encoding = content_encoding(context.environ)
            self._prediction = pipeline.open(context, route.target)
        except Exception as error:
            self._fail(error)
            return
        codecs, size = route.codecs, len(body)
        try:
            if encoding or size > SMALL_BYTES:
                cost = self._loop.parse_cost(self._prediction.servable)
                check = partial(self._check_large, codecs, body, encoding, cost)
                if encoding or not cost.is_quick(size):
                    self._on_thread(check, self._prepare)
                    return
                check()
            else:
                self._check(codecs, body)
            self._prepare(None)
        except Exception as error:
            self._fail(error)

    def abandon(self) -> None:
        """Give up the request, because its client has hung up."""
        self._respond = None
        if self._ticket is not None:
            self._ticket.abandon()

    def _check(self, codecs: CodecSelector, body: bytes) -> None:
        assert self._prediction is not None
        most = self._loop.pipeline.limits.max_body_bytes
        if len(body) > most:
            raise too_large(most)
        self._prediction.check(codecs, self._context.environ, body)

    def _check_large(
        self, codecs: CodecSelector, body: bytes, encoding: str, cost: ParseCost
    ) -> None:
        body = unpacked(body, encoding, self._loop.pipeline.limits.max_body_bytes)
        start = thread_time()
        try:
            self._check(codecs, body)
        finally:
            cost.note(len(body), thread_time() - start)

    def _prepare(self, _: None) -> None:
        assert self._prediction is not None
        if self._prediction.has_files:
            self._on_thread(self._prediction.prepare_files, self._submit)
        else:
            self._submit(None)

    def _submit(self, _: None) -> None:
        prediction = self._prediction
        assert prediction is not None
        if self._respond is None:
            self._fail(AbandonedError())
            return
        trace = self._context.trace
        self._ticket = Ticket(
            prediction.inputs,
            prediction.rows,
            prediction.deadline,
            self._on_batch_end,
            rows_independent=prediction.runs_in_batches,
            trace=None if trace is None else trace.recording,
        )
        self._loop.queue(prediction).submit(self._ticket)

    def _on_batch_end(self, ticket: Ticket) -> None:
        prediction = self._prediction
        assert prediction is not None
        error = ticket.error
        prediction.note_wait(ticket.since, ticket.began)
        if isinstance(error, InvalidRequestError):
            # To find the rows that the graph refuses takes further calls.
            self._on_thread(partial(_name_rows, prediction, error), self._fail)
            return
        if error is not None:
            self._fail(error)
            return
        assert ticket.outputs is not None
        prediction.phases.infer_s = ticket.ran_s
        prediction.note_outputs(self._context, ticket.outputs)
        write = partial(self._write, prediction, ticket.outputs)
        if is_large(ticket.outputs):
            self._on_thread(write, self._finish)
            return
        try:
            response = write()
        except Exception as wrong:
            self._fail(wrong)
            return
        self._finish(response)

    def _write(self, prediction: Prediction, outputs: Any) -> Response:
        accepted = self._context.environ.get("HTTP_ACCEPT_ENCODING", "")
        return compressed(prediction.write_response(outputs), accepted)

    def _fail(self, error: Exception) -> None:
        context = self._context
        environ = context.environ
        failure = as_service_error(error, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        context.failure = failure
        self._finish(self._write_error(failure))

    def _finish(self, response: Response) -> None:
        prediction, ticket = self._prediction, self._ticket
        if prediction is not None:
            prediction.close()
            self._prediction = None
        headers = self._loop.observer.finish(self._context, response.status)
        self._loop.observer.end(self._context)
        respond, self._respond, self._ticket = self._respond, None, None
        if respond is None:
            return
        respond(response, headers)
        if prediction is not None and self._loop.pipeline.events is not None:
            outputs = ticket.outputs if ticket is not None else None
            self._loop.note_answered(
                (self._context.request_id, prediction, response.status, outputs)
            )

    def _on_thread(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do ``work`` on a thread, and ``then`` with its result on the loop."""

        def done(future: Any) -> None:
            self._loop.loop.call_soon_threadsafe(self._continue, future, then)

        self._loop.parsers.submit(work).add_done_callback(done)

    def _continue(self, future: Any, then: Callable[[Any], None]) -> None:
        error = future.exception()
        if error is not None:
            self._fail(error)
            return
        try:
            then(future.result())
        except Exception as wrong:
            self._fail(wrong)


def _name_rows(prediction: Prediction, error: InvalidRequestError) -> InvalidRequestError:
    refusal = prediction.name_refused_rows(error)
    if refusal is not error:
        # Nothing else uses it any more.
        strip(error)
    return refusal
