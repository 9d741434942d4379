"""The steps of a prediction, whatever its wire format: admit, lease, check, run, respond.

On the event loop (``prediction_loop``) its steps run apart, and its batch with others; under any
other WSGI server ``InferencePipeline.answer`` takes them one by one, on the calling thread.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any

from service.api.codecs.codec_interface import CheckedRequest, Codec, CodecSelector
from service.api.http.request_body import read_body
from service.api.http.request_context import RequestContext
from service.api.http.responses import Response
from service.api.json.value_budget import ValueBudget
from service.api.request_limits import Limits
from service.api.validation.file_inputs import FilePreparation
from service.api.validation.problems import Problems
from service.api.validation.row_counts import check_row_count
from service.errors import DeadlineError, InvalidRequestError, ServiceError, UnavailableError
from service.events.event_log import EventLog
from service.events.event_records import AnsweredRequest, size_of
from service.events.sampling import inclusion
from service.monitoring.gathered_metrics import GatheredVersion
from service.monitoring.prediction_phases import PredictionPhases
from service.monitoring.version_metrics import VersionMetrics
from service.repository.event_rates import EventRates
from service.repository.golden_examples import Tensors
from service.rollout.disagreement import is_finite
from service.runtime.admission_control import Admission
from service.runtime.lifecycle import Lifecycle
from service.runtime.refused_rows import bisect_refused_rows
from service.runtime.servable import Servable

# A body up to here is not looked into to know how much memory its values take.
_LARGE_BYTES = 16 * 1024
_TIMEOUT_HEADER = "HTTP_X_REQUEST_TIMEOUT_MS"


@dataclass(frozen=True, slots=True)
class Target:
    """A model, and one of its versions by number or label, or its latest."""

    model: str
    version: int | None = None
    label: str | None = None


class InferencePipeline:
    """What all predictions of a worker share, and how one begins."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        admission: Admission,
        files: FilePreparation,
        limits: Limits,
        events: EventLog | None = None,
    ) -> None:
        """A pipeline without predictions under way.

        Args:
            lifecycle: has the servables.
            admission: bounds how many predictions are under way.
            files: prepares the inputs that are files.
            limits: of requests.
            events: samples answered requests into the event store; ``None`` while that is off.
        """
        self.events = events
        self.lifecycle = lifecycle
        self.admission = admission
        self.files = files
        self.limits = limits
        self.values = ValueBudget(limits)

    def answer(self, context: RequestContext, target: Target, codecs: CodecSelector) -> Response:
        """Answer one request on the calling thread.

        Its body is read first, so that a slow client does not count as a prediction under way.

        Raises:
            NotFoundError: there is no such model, version or label.
            UnavailableError: no version serves yet, or too many predictions are under way.
            DeadlineError: the request timed out first.
            InvalidRequestError: it is not a request that the model takes.
            ServiceError: the model failed.
        """
        self.require_model(context, target.model)
        body = read_body(context.environ, most=self.limits.max_body_bytes)
        prediction = self.open(context, target)
        status, outputs = 500, None
        try:
            prediction.check(codecs, context.environ, body)
            prediction.prepare_files()
            outputs = prediction.run()
            prediction.note_outputs(context, outputs)
            response = prediction.write_response(outputs)
            status = response.status
            return response
        except ServiceError as error:
            status = error.status
            raise
        finally:
            prediction.close()
            if self.events is not None:
                self.events.see([(context.request_id, prediction, status, outputs)])

    def require_model(self, context: RequestContext, model: str) -> None:
        """Check that a model exists, and note it in the context of a request.

        Raises:
            NotFoundError: there is no such model.
        """
        self.lifecycle.require(model)
        context.model = model

    def open(self, context: RequestContext, target: Target) -> "Prediction":
        """Admit a request, and lease its servable; the prediction's ``close`` ends both.

        Raises:
            NotFoundError: there is no such model, version or label.
            UnavailableError: no version serves yet, or too many predictions are under way.
            InvalidRequestError: its header of a timeout is malformed.
        """
        deadline = context.start + self._timeout_s(context.environ.get(_TIMEOUT_HEADER))
        try:
            self.admission.enter(target.model)
        except UnavailableError:
            context.metrics.queue_rejected(target.model).inc()
            raise
        start = monotonic()
        try:
            servable = self.lifecycle.acquire(target.model, target.version, target.label, context)
        except BaseException:
            self.admission.leave(target.model, monotonic() - start)
            raise
        context.version, context.predicts = servable.version, True
        phases = context.phases = PredictionPhases()
        metrics = context.metrics.version(servable.model, str(servable.version))
        return Prediction(self, servable, metrics, phases, deadline, start)

    def _timeout_s(self, header: str | None) -> float:
        """Return how long the request may take; its header can only shorten that."""
        if header is None:
            return self.limits.timeout_s
        try:
            seconds = float(header) / 1000
        except ValueError:
            seconds = math.nan
        if not seconds > 0:
            raise InvalidRequestError(
                f"X-Request-Timeout-Ms: expected a number of milliseconds above 0, "
                f"not {header[:60]!r}."
            )
        return min(seconds, self.limits.timeout_s)


class Prediction:
    """One request that is being answered.

    Attributes:
        servable: the version that answers it, on a lease.
        body_bytes: the length of its body, unpacked, after ``check``.
        deadline: when it is too late, in seconds of ``time.monotonic``.
        phases: what it has spent so far.
        request: the checked request, after ``check``.
        inputs: an array for each input of its signature, after ``check``.
        is_checked: whether all of the request has been found valid.
        runs_in_batches: whether it may run together with others, and its rows in several batches.
        rows: how many rows a batch gets of it; 1 when it must run alone and whole.
    """

    __slots__ = (
        "_codec",
        "_metrics",
        "_pipeline",
        "_start",
        "body_bytes",
        "deadline",
        "inputs",
        "is_checked",
        "phases",
        "request",
        "rows",
        "runs_in_batches",
        "servable",
    )

    def __init__(
        self,
        pipeline: InferencePipeline,
        servable: Servable,
        metrics: VersionMetrics | GatheredVersion,
        phases: PredictionPhases,
        deadline: float,
        start: float,
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self.phases = phases
        self._codec: Codec[Any, Any]
        self._start = start
        self.servable = servable
        self.body_bytes = 0
        self.deadline = deadline
        self.request: CheckedRequest
        self.inputs: Tensors
        self.is_checked = False
        self.runs_in_batches = False
        self.rows = 1

    def check(self, codecs: CodecSelector, environ: Mapping[str, Any], body: bytes) -> None:
        """Parse and check the request.

        Args:
            codecs: the wire formats of its route.
            environ: the request's line and headers, as WSGI names them.
            body: its body, unpacked.

        Raises:
            ServiceError: 415, its route has no codec for its content type; 413, it holds
                too many values.
            InvalidRequestError: it is not a request that the model takes.
        """
        pipeline, phases = self._pipeline, self.phases
        self.body_bytes = len(body)
        start = phases.parse_at = perf_counter()
        with pipeline.values.bound(len(body), self.servable.contract):
            self._codec, body = codecs.select(environ, body)
            document = self._codec.parse(body)
            parsed = phases.validate_at = perf_counter()
            phases.parse_s = parsed - start
            request = self._codec.read(document, self.servable)
            del document
        check_row_count("", request.instances, most=pipeline.limits.max_rows)
        self.request, self.inputs = request, request.inputs
        signature = request.signature
        self.runs_in_batches = signature.runs_in_batches and (
            not signature.inputs_apart
            or len({tensor.shape[0] for tensor in request.inputs.values()}) == 1
        )
        if self.runs_in_batches:
            self.rows = next(iter(request.inputs.values())).shape[0]
        phases.validate_s = perf_counter() - parsed
        self.is_checked = not signature.files

    @property
    def has_files(self) -> bool:
        """Whether there are files to prepare, which takes long."""
        return bool(self.request.signature.files)

    def prepare_files(self) -> None:
        """Prepare inputs that are files, if there are any.

        Raises:
            InvalidRequestError: a file is not what the model takes.
        """
        request, phases = self.request, self.phases
        if self.has_files:
            # To look into files is a part of validating them, which goes on.
            phases.validate_s = None
            files = self._pipeline.files
            self.inputs = files.prepare(request.signature, request.inputs, request.path_of)
            assert phases.validate_at is not None
            phases.validate_s = perf_counter() - phases.validate_at
            self.is_checked = True

    def run(self) -> Tensors:
        """Run the request by itself, on the calling thread.

        Raises:
            DeadlineError: the request timed out first.
            InvalidRequestError: the graph refused the values; it names the rows.
            ServiceError: the model failed.
        """
        _check(self.deadline)
        start = perf_counter()
        self.note_wait(start, start)
        try:
            outputs = self._call(self.inputs)
        except InvalidRequestError as error:
            raise self.name_refused_rows(error) from error
        self.phases.infer_s = perf_counter() - start
        _check(self.deadline)
        return outputs

    def note_wait(self, since: float, began: float | None) -> None:
        """Note how long the request has waited for its batch.

        Args:
            since: when it began to wait, in seconds of ``time.perf_counter``.
            began: when the batch began to run; ``None`` if it never did.
        """
        phases = self.phases
        phases.wait_at = since
        if began is not None:
            phases.wait_s = began - since
            phases.infer_at = began

    def note_outputs(self, context: RequestContext, outputs: Tensors) -> None:
        """Note whether it is answered with NaN or infinity, if a rollout counts it.

        Args:
            context: of the request.
            outputs: what it is answered with.
        """
        if context.arm is not None and not self._codec.refuses_nonfinite:
            context.is_unfit = not is_finite(outputs)

    def write_response(self, outputs: Tensors) -> Response:
        """Return the response that holds ``outputs``."""
        phases = self.phases
        start = phases.serialise_at = perf_counter()
        response = self._codec.write(self.request, outputs, self.servable)
        phases.serialise_s = perf_counter() - start
        return response

    def name_refused_rows(self, error: InvalidRequestError) -> InvalidRequestError:
        """Return the error with the rows that the graph refuses, because it does not name them."""
        request, most = self.request, self._pipeline.limits.max_errors
        if not self.runs_in_batches:
            # A part of the rows would be another request.
            return error
        found = {0: error}
        if request.instances > 1:
            found = bisect_refused_rows(self._call_in_time, self.inputs, most=most)
        problems = Problems(most)
        for row, refused in found.items():
            problems.add(request.path_of_row(row), refused.message)
        return problems.error() if found else error

    def close(self) -> None:
        """End admission and lease, and count the phases that came to their end."""
        self._count()
        self.servable.release()
        self._pipeline.admission.leave(self.servable.model, monotonic() - self._start)

    @property
    def model(self) -> str:
        """The name of the model that answers."""
        return self.servable.model

    def to_event(
        self,
        rates: Mapping[str, EventRates],
        request_id: str,
        answered_at: float,
        status: int,
        outputs: Tensors | None,
    ) -> AnsweredRequest | None:
        """Return what is stored of the request; ``None`` if it was not valid or is left out.

        Args:
            rates: of each model.
            request_id: its id.
            answered_at: when its answer left, in seconds since the epoch.
            status: the HTTP status of its answer.
            outputs: what it was answered with; ``None`` where it failed.
        """
        if not self.is_checked:
            return None
        servable, request, size = self.servable, self.request, self.body_bytes
        included = inclusion(rates[servable.model], request_id, status, outputs)
        if included is None:
            return None
        if size > _LARGE_BYTES:
            # JSON may be many times as long as what it says.
            size = size_of(request.inputs)
        return AnsweredRequest(
            servable.model,
            servable.version,
            request.signature,
            request_id,
            answered_at,
            status,
            request.instances,
            request.inputs,
            outputs,
            included,
            size + size_of(outputs),
        )

    def _count(self) -> None:
        metrics, phases = self._metrics, self.phases
        if phases.parse_s is not None:
            metrics.parse.observe(phases.parse_s)
        if phases.validate_s is not None:
            metrics.validate.observe(phases.validate_s)
        if phases.infer_s is not None:
            assert phases.wait_s is not None
            metrics.wait.observe(phases.wait_s)
            metrics.infer.observe(phases.infer_s)
        if phases.serialise_s is not None:
            metrics.serialise.observe(phases.serialise_s)
            metrics.predictions(self.request.signature.name).inc(self.request.instances)

    def _call(self, inputs: Tensors) -> Tensors:
        rows = next(iter(inputs.values())).shape[0] if self.runs_in_batches else 1
        return self.servable.run(self.request.signature, inputs, rows)

    def _call_in_time(self, inputs: Tensors) -> Tensors:
        _check(self.deadline)
        return self._call(inputs)


def _check(deadline: float) -> None:
    if monotonic() >= deadline:
        raise DeadlineError
