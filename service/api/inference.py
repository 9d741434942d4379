"""The one road of a prediction, whatever its wire format: place, lease, batch, answer."""

import math
import select
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar

from service.api.answer import Answer
from service.api.exchange import Exchange
from service.api.files import Files
from service.api.problems import check_count, refusal
from service.api.tensors import Index
from service.errors import InvalidRequestError
from service.metrics import Metrics
from service.repository.contract import Signature
from service.repository.golden import Tensors
from service.runtime.admission import Admission
from service.runtime.lifecycle import Lifecycle
from service.runtime.refusals import refused_rows
from service.runtime.servable import Servable

# Linux alone tells that the other side will send no more; everywhere a lost connection is told of
# unasked.
_CLOSED = getattr(select, "POLLRDHUP", 0)
_TIMEOUT_HEADER = "HTTP_X_REQUEST_TIMEOUT_MS"


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked: a model, and one of its versions by number or label, or its latest."""

    model: str
    version: int | None = None
    label: str | None = None


class Asked(Protocol):
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: an array for each of its inputs, of its dtype and shape.
        instances: how many predictions are asked for.
        place: how the request calls its list of instances.
    """

    @property
    def signature(self) -> Signature: ...
    @property
    def inputs(self) -> Tensors: ...
    @property
    def instances(self) -> int: ...
    def place(self, name: str, index: Index) -> str:
        """Return the path by which the client knows the value of an input at an index."""

    def row(self, row: int) -> str:
        """Return the path by which the client knows a row of all inputs."""


Document = TypeVar("Document")
Request = TypeVar("Request", bound=Asked)


class Codec(Protocol[Document, Request]):
    """A wire format.

    Each step raises ``InvalidRequestError`` for what the client did wrong, or another
    ``ServiceError`` where HTTP has a status of its own for that.
    """

    def parse(self, body: bytes) -> Document:
        """Return what the body says, whichever model it is for."""

    def read(self, document: Document, servable: Servable) -> Request:
        """Return the request that it is for ``servable``, checked against its contract."""

    def write(self, request: Request, outputs: Tensors, servable: Servable) -> Answer:
        """Return the answer."""


class Inference:
    """Answers predictions."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        admission: Admission,
        metrics: Metrics,
        files: Files,
        *,
        timeout_s: float,
        max_rows: int,
        max_errors: int,
    ) -> None:
        """Prepare.

        Args:
            lifecycle: where the servables are.
            admission: bounds how many predictions are under way.
            metrics: where phases and predictions are counted.
            files: prepares the inputs that are files.
            timeout_s: seconds that a prediction may take.
            max_rows: the most instances of a request.
            max_errors: the most problems of one request that are listed.
        """
        self._lifecycle = lifecycle
        self._admission = admission
        self._metrics = metrics
        self._files = files
        self._timeout_s = timeout_s
        self._max_rows = max_rows
        self._max_errors = max_errors

    def require(self, exchange: Exchange, model: str) -> None:
        """Note which model is asked.

        Raises:
            NotFoundError: there is no such model.
        """
        self._lifecycle.require(model)
        exchange.model = model

    def answer(
        self, exchange: Exchange, target: Target, codec: Codec[Document, Request], body: bytes
    ) -> Answer:
        """Answer one request, whose body has been read: a slow client must hold no place.

        Raises:
            NotFoundError: there is no such model, version or label.
            UnavailableError: no version serves yet, or too many predictions are under way.
            DeadlineError: the time for the request was up first.
            AbandonedError: the client hung up first.
            InvalidRequestError: it is no request that the model takes.
            ServiceError: the model failed.
        """
        environ = exchange.environ
        deadline = exchange.start + self._seconds(environ.get(_TIMEOUT_HEADER))
        with (
            self._admission.place(target.model),
            self._lifecycle.lease(target.model, target.version, target.label) as servable,
        ):
            exchange.version, exchange.predicts = servable.version, True
            seconds = self._metrics.version(target.model, str(servable.version))
            start = monotonic()
            document = codec.parse(body)
            parsed = monotonic()
            seconds.parse.observe(parsed - start)
            asked = codec.read(document, servable)
            check_count("", asked.instances, most=self._max_rows)
            inputs = asked.inputs
            if asked.signature.files:
                inputs = self._files.prepare(asked.signature, inputs, asked.place)
            read = monotonic()
            seconds.validate.observe(read - parsed)
            run = partial(
                servable.batcher(asked.signature).run,
                deadline=deadline,
                is_gone=partial(_is_gone, environ.get("gunicorn.socket")),
            )
            try:
                outputs, waited = run(inputs)
            except InvalidRequestError as error:
                raise self._with_rows(error, asked, inputs, run) from error
            done = monotonic()
            seconds.wait.observe(waited)
            seconds.infer.observe(done - read - waited)
            answer = codec.write(asked, outputs, servable)
            seconds.serialise.observe(monotonic() - done)
            seconds.predictions.inc(asked.instances)
        return answer

    def _with_rows(
        self,
        error: InvalidRequestError,
        asked: Asked,
        inputs: Tensors,
        run: Callable[[Tensors], object],
    ) -> InvalidRequestError:
        """Name the rows that the graph refuses, for it does not; a file, say, that is broken."""
        if not asked.signature.has_rows:
            return error
        found = {0: error}
        if asked.instances > 1:
            found = refused_rows(run, inputs, most=self._max_errors)
        problems = {asked.row(row): [told.message] for row, told in found.items()}
        return refusal(problems, self._max_errors) if problems else error

    def _seconds(self, told: str | None) -> float:
        """Return how long the request may take; its header can only shorten that."""
        if told is None:
            return self._timeout_s
        try:
            seconds = float(told) / 1000
        except ValueError:
            seconds = math.nan
        if not seconds > 0:
            raise InvalidRequestError(
                f"X-Request-Timeout-Ms: expected a number of milliseconds above 0, "
                f"not {told[:60]!r}."
            )
        return min(seconds, self._timeout_s)


def _is_gone(connection: Any) -> bool:
    """Whether a client has hung up; only gunicorn hands over what can be looked at."""
    if connection is None:
        return False
    try:
        poll = select.poll()
        poll.register(connection, _CLOSED)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True  # This side has closed it.
