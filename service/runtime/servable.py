"""One loaded version of a model: what it takes and gives, its calls, its leases, its proofs."""

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from service.errors import InvalidRequestError, ServiceError
from service.monitoring.drift.drift_monitor import DriftMonitor
from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.contract import ServedContract, Signature
from service.repository.errors import RepositoryError
from service.repository.golden_examples import (
    Golden,
    GoldenExample,
    Tensors,
    askable,
    batch_of,
    examples_by_signature,
    mismatches,
    read_golden,
)
from service.repository.model_card import Card, read_card
from service.repository.precision import Precision, precision_here
from service.repository.row_independence import (
    Declared,
    RowIndependence,
    decide,
    needs_proof,
    prove_independence,
)
from service.runtime.batching import BatchFeed, NoteBatch, ObserveAnswers, run_alone
from service.runtime.call_cost import CallCost
from service.runtime.drift_watch import DriftWatch
from service.runtime.input_defaults import completed_inputs
from service.runtime.load_error import Fault, LoadError
from service.runtime.row_independence_check import IndependenceCheck
from service.runtime.saved_model import SavedModel
from service.runtime.tensorflow_errors import GRAPH_ERRORS, INPUT_ERRORS, first_sentence
from service.runtime.warmup_inputs import placeholders
from service.runtime.warmup_records import replay_records

# A first run at a new batch size costs many times a later one, while buffers are laid out.
_WARM_UP_ROWS = (1, 2, 8, 32)
# Signatures whose predictions are counted from 0, so that Prometheus sees the first as an increase;
# there may be hundreds.
_COUNTED_AT_ONCE = 8
_NOT_TRIED = "It has too many signatures to try out all of them when it is loaded."


class Servable:
    """One version of a model, loaded and ready to be called from any thread.

    Attributes:
        model: the model's name.
        version: the version's number.
        card: the version's card, if it brings one.
        golden: its golden examples, if it brings any.
        precision: what it computes in: what the card states, where this machine has it.
        contract: what it takes and gives, by signature; from the card, else from the graph. Whether
            rows are independent is always said in it.
        independence: why, by signature.
        signature_def: TensorFlow's own description of all its signatures, as protobuf's JSON.
        feed: shows the batches that it has answered.
    """

    def __init__(
        self,
        model: str,
        version: int,
        directory: Path,
        *,
        cores: int,
        most_rows: int,
        metrics: Metrics,
        timeout_s: float = math.inf,
        drift: DriftMonitor | None = None,
    ) -> None:
        """A version, loaded from the SavedModel in ``directory``.

        Args:
            model: the model's name.
            version: the version's number.
            directory: the version's folder.
            cores: how many cores one inference may use.
            most_rows: the most rows of a batch.
            metrics: where batches are counted.
            timeout_s: when a call has run for so long, it counts as stuck.
            drift: compares its rows with its reference, if it brings one; unset, nobody does.

        Raises:
            LoadError: it is no SavedModel that can be served, or not the one its card describes.
        """
        self.model = model
        self.version = version
        self.feed = BatchFeed()
        try:
            self.card: Card | None = read_card(directory)
            self.golden: Golden | None = read_golden(directory)
        except RepositoryError as error:
            raise LoadError(Fault.CARD, str(error)) from error
        self.precision = precision_here(self.card.precision if self.card else Precision.FLOAT32)
        self._directory = directory
        self._cores = cores
        self._revoked: dict[str, str] = {}
        self._declared: Declared = None
        self._open()
        counted = metrics.begin_version(model, str(version))
        counted.computes_in(self.precision)
        for name in islice(self.contract, _COUNTED_AT_ONCE):
            counted.predictions(name)
        self._end_metrics = partial(metrics.end_version, model, str(version))
        self._drift_watch = DriftWatch(drift, model, version, directory, self.contract)
        self.most_rows = most_rows
        self.note_batch: NoteBatch = counted.note_batch
        self._stuck_after_s = timeout_s
        bounded = self._saved_model.bounded
        self._costs = {name: CallCost(may_loop=name not in bounded) for name in self.contract}
        self._leases = 0
        self._retired = False
        self._lock = threading.Lock()
        self._on_close: Callable[[], None] = lambda: None

    def _open(self) -> None:
        self._saved_model = SavedModel(
            self._directory, self.card, self.golden, cores=self._cores, precision=self.precision
        )
        self._calls = self._saved_model.calls.by_name
        self._example_parsers = self._saved_model.example_parsers
        self.signature_def: dict[str, Any] = self._saved_model.signature_def
        # What the card and the graph say; the policy has a say as well.
        self._described = self._saved_model.contract
        for name, reason in self._described.left_out.items():
            log(
                logging.WARNING,
                "A signature cannot be served.",
                model=self.model,
                version=self.version,
                signature=name,
                reason=reason,
            )
        needed = needs_proof(self._described)
        self._proofs = prove_independence(self._directory) if needed else {}
        self._decide_independence()

    def cost(self, signature: Signature) -> CallCost:
        """Return what is known of how long the calls of one of ``contract``'s signatures take."""
        return self._costs[signature.name]

    def observer(self, signature: Signature) -> ObserveAnswers | None:
        """Return what is to see the batches of a signature, after their answers; often nothing."""
        return self._drift_watch.observer(signature.name)

    def run(self, signature: Signature, inputs: Tensors, rows: int) -> Tensors:
        """Run one request on the calling thread, in as many batches as it needs.

        Args:
            signature: one of ``contract``'s.
            inputs: an array for each of its inputs.
            rows: how many rows they have.

        Raises:
            InvalidRequestError: the graph itself refused the values.
            ServiceError: the graph failed.
        """
        outputs = run_alone(
            partial(self.predict, signature),
            inputs,
            rows,
            batched=signature.runs_in_batches,
            most_rows=self.most_rows,
            note_batch=self.note_batch,
        )
        observe = self.observer(signature)
        if observe is not None:
            observe(inputs, outputs)
        return outputs

    def parses_examples(self, signature_name: str) -> bool:
        """Whether a signature's only input is parsed as ``tf.train.Example`` messages."""
        return signature_name in self._example_parsers

    def predict(self, signature: Signature, inputs: Tensors) -> Tensors:
        """Run one batch, at once.

        Args:
            signature: one of ``contract``'s.
            inputs: an array for each of its inputs, of the input's dtype and shape. Those that
                another version got may lack some, which have their defaults then, as in a request.

        Returns:
            An array for each of its outputs, in the contract's order; strings are ``bytes``.

        Raises:
            InvalidRequestError: the graph itself refused the values.
            ServiceError: the graph failed.
        """
        if len(inputs) < len(signature.inputs):
            inputs = completed_inputs(signature, inputs)
        try:
            binding, call = self._calls[signature.name]
            return binding.outputs(inputs, call(*binding.arguments(inputs)))
        except INPUT_ERRORS as error:
            message = f"The model refused the input: {first_sentence(error)}"
            raise InvalidRequestError(message) from error
        except GRAPH_ERRORS as error:
            raise ServiceError(f"The model failed: {first_sentence(error)}") from error

    def declare_rows(self, declared: Declared) -> None:
        """Follow what the model's policy says of the independence of rows, from now on."""
        if declared != self._declared:
            self._declared = declared
            self._decide_independence()

    def check_rows(self) -> None:
        """Try out whether rows are independent where the card or the graph say so.

        What turns out otherwise no longer counts, nor what was not tried out because of very many
        signatures; no version is refused for it.
        """
        golden = self.golden or Golden([])
        check = IndependenceCheck(
            self._golden_batches(), absolute=golden.absolute, relative=golden.relative
        )
        state_writers, unmade = self._saved_model.state_writers, self._saved_model.calls.unmade
        for signature in self._described.values():
            if signature.name not in state_writers and self.independence[signature.name].holds:
                reason = _NOT_TRIED
                if signature.name not in unmade:
                    reason = check.revokes(signature, partial(self.predict, signature))
                if reason:
                    self._revoked[signature.name] = reason
        self._decide_independence()

    def _decide_independence(self) -> None:
        self.independence: Mapping[str, RowIndependence] = {
            name: decide(each, self._proofs.get(name), self._revoked.get(name, ""), self._declared)
            for name, each in self._described.items()
        }
        self.contract = ServedContract(
            {
                name: replace(
                    each,
                    rows_independent=self.independence[name].holds,
                    inputs_apart=self._are_inputs_apart(name),
                )
                for name, each in self._described.items()
            },
            self._described.left_out,
        )

    def _are_inputs_apart(self, name: str) -> bool:
        """Whether the graph shows it, and no card promises rows of all inputs together."""
        proof = self._proofs.get(name)
        promised = self.card is not None and name in self.card.contract
        return proof is not None and proof.inputs_apart and not promised

    def warm_up(self) -> None:
        """Run each signature at several batch sizes, so that no client pays for a first run.

        A signature without golden examples runs on placeholder values; that the graph refuses
        those says nothing of the version. One that changes the model's state is left alone: its
        first client must find the version as it was published. Of very many signatures, those
        without golden examples that were not made when the version was loaded are left alone too.

        Raises:
            LoadError: a golden example cannot be run.
        """
        golden = self._golden_batches()
        state_writers, unmade = self._saved_model.state_writers, self._saved_model.calls.unmade
        for signature in self.contract.values():
            known = golden.get(signature.name, {})
            if signature.name in state_writers or (signature.name in unmade and not known):
                continue
            for rows in _WARM_UP_ROWS if signature.runs_in_batches else (1,):
                inputs = placeholders(signature, rows, known)
                if inputs is None:
                    break
                try:
                    self.predict(signature, inputs)
                except ServiceError as error:
                    if known:
                        raise LoadError(Fault.GOLDEN, error.message) from error
                    break

    def replay(self) -> None:
        """Answer the version's own warm-up records, if it brings any, as TensorFlow Serving does.

        Those for a signature that changes the model's state are checked and not run.

        Raises:
            LoadError: the file is damaged, or a record cannot be answered.
        """

        def run(signature: Signature, inputs: Tensors) -> None:
            if signature.name in self._saved_model.state_writers:
                return
            try:
                self.predict(signature, inputs)
            except ServiceError as error:
                raise RepositoryError(error.message) from error

        try:
            records = replay_records(self._directory, self.contract, self.parses_examples, run)
        except RepositoryError as error:
            raise LoadError(Fault.WARM_UP, str(error)) from error
        if records:
            message = "Warm-up records were replayed."
            log(logging.INFO, message, model=self.model, version=self.version, records=records)

    def prove(self) -> None:
        """Answer the golden examples, in their order, each signature's as one batch.

        If that has changed the model's state, the version is loaded once more: what serves has
        been proved, and is as it was published.

        Raises:
            LoadError: an answer is not the golden one, or is a NaN or an infinity.
        """
        if self.golden is None:
            return
        for signature, examples in examples_by_signature(self.golden, self.contract):
            for together in askable(signature, examples):
                self._prove(self.golden, signature, together)
        proved = {example.signature for example in self.golden.examples}
        if self._saved_model.state_writers & proved:
            self._saved_model.calls.close()
            self._open()
            self.warm_up()

    def _prove(
        self, golden: Golden, signature: Signature, examples: Sequence[GoldenExample]
    ) -> None:
        try:
            outputs = self.predict(signature, batch_of(signature, examples))
        except (ServiceError, RepositoryError) as error:
            raise LoadError(Fault.GOLDEN, str(error)) from error
        for name, tensor in outputs.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                message = f"It answers NaN or infinity in {name!r} to a golden example."
                raise LoadError(Fault.NOT_FINITE, message)
        problems = mismatches(golden, examples, outputs)
        if problems:
            raise LoadError(Fault.GOLDEN, problems[0])

    @property
    def stuck(self) -> dict[str, float]:
        """For how long calls have been stuck, in seconds, by signature; only those that are."""
        seconds = {name: cost.running_s - self._stuck_after_s for name, cost in self._costs.items()}
        return {name: stuck for name, stuck in seconds.items() if stuck > 0}

    def acquire(self) -> bool:
        """Take a lease, which keeps the version loaded; ``False`` when it is already retired."""
        with self._lock:
            if self._retired:
                return False
            self._leases += 1
            return True

    def release(self) -> None:
        """Give a lease back; the last one of a retired version unloads it."""
        with self._lock:
            self._leases -= 1
            idle = self._retired and self._leases == 0
        if idle:
            self._close()

    def retire(self, on_close: Callable[[], None]) -> None:
        """Take no more leases; unload, and call ``on_close``, when the last one is given back."""
        with self._lock:
            self._retired = True
            self._on_close = on_close
            idle = self._leases == 0
        if idle:
            self._close()

    def interrupt(self) -> None:
        """Make what runs now fail, as far as TensorFlow can: loops end, a single operation not."""
        saved_model = getattr(self, "_saved_model", None)
        if saved_model is not None:
            saved_model.calls.close()

    def _close(self) -> None:
        self._saved_model.calls.close()
        # References to this object must not keep the graph in memory.
        del self._saved_model, self._calls
        self._drift_watch.end()
        self._end_metrics()
        self._on_close()

    def _golden_batches(self) -> dict[str, Tensors]:
        if self.golden is None:
            return {}
        try:
            return {
                signature.name: batch_of(signature, examples)
                for signature, examples in examples_by_signature(self.golden, self.contract)
            }
        except RepositoryError as error:
            raise LoadError(Fault.GOLDEN, str(error)) from error
