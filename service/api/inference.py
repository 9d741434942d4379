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
from service.api.problems import refusal
from service.api.tensors import Index
from service.errors import InvalidRequestError
from service.metrics import Metrics
from service.repository.contract import Signature
from service.repository.golden import Tensors
from service.runtime.admission import Admission
from service.runtime.lifecycle import Lifecycle
from service.runtime.servable import Servable

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
    """

    @property
    def signature(self) -> Signature: ...
    @property
    def inputs(self) -> Tensors: ...
    @property
    def instances(self) -> int: ...
    def place(self, name: str, index: Index) -> str:
        """Return the path by which the client knows the value of an input at an index."""


Document = TypeVar("Document")
Request = TypeVar("Request", bound=Asked)


class Codec(Protocol[Document, Request]):
    """A wire format. Each step raises ``InvalidRequestError`` for what the client did wrong."""

    def parse(self, body: bytes) -> Document:
        """Return what the body says, whichever model it is for."""

    def read(self, document: Document, servable: Servable) -> Request:
        """Return the request that it is for ``servable``, checked against its contract."""

    def write(self, request: Request, outputs: Tensors, servable: Servable) -> Answer:
        """Return the answer."""


Run = Callable[..., tuple[Tensors, float]]


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
    ) -> None:
        """Prepare.

        Args:
            lifecycle: where the servables are.
            admission: bounds how many predictions are under way.
            metrics: where phases and predictions are counted.
            files: prepares the inputs that are files.
            timeout_s: seconds that a prediction may take.
        """
        self._lifecycle = lifecycle
        self._admission = admission
        self._metrics = metrics
        self._files = files
        self._timeout_s = timeout_s

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
            exchange.version = servable.version
            seconds = self._metrics.version(target.model, str(servable.version))
            start = monotonic()
            document = codec.parse(body)
            parsed = monotonic()
            seconds.parse.observe(parsed - start)
            asked = codec.read(document, servable)
            inputs, run = asked.inputs, servable.batcher(asked.signature).run
            if asked.signature.files:
                inputs = self._files.prepare(asked.signature, inputs, asked.place)
                run = partial(_run_files, run, asked)
            read = monotonic()
            seconds.validate.observe(read - parsed)
            outputs, waited = run(
                inputs,
                deadline=deadline,
                is_gone=partial(_is_gone, environ.get("gunicorn.socket")),
            )
            done = monotonic()
            seconds.wait.observe(waited)
            seconds.infer.observe(done - read - waited)
            answer = codec.write(asked, outputs, servable)
            seconds.serialise.observe(monotonic() - done)
            seconds.predictions.inc(asked.instances)
        return answer

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


def _run_files(
    run: Run, asked: Asked, inputs: Tensors, *, deadline: float, is_gone: Callable[[], bool]
) -> tuple[Tensors, float]:
    """Run a request of files; where the graph refuses one, find out which.

    A file may be broken behind its header, and the graph does not say whose it was.
    """
    try:
        return run(inputs, deadline=deadline, is_gone=is_gone)
    except InvalidRequestError as error:
        if len(inputs) > 1 or not asked.signature.batched:
            raise
        ((name, files),) = inputs.items()
        for row in range(len(files)):
            try:
                run({name: files[row : row + 1]}, deadline=deadline, is_gone=is_gone)
            except InvalidRequestError as reason:
                raise refusal({asked.place(name, (row,)): [reason.message]}, 1) from error
        raise


def _is_gone(connection: Any) -> bool:
    """Whether a client has hung up; only gunicorn hands over what can be looked at."""
    if connection is None:
        return False
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))
