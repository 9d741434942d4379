"""One loaded version of a model. The only module of the service that imports TensorFlow."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict

from service.errors import InvalidRequestError, ServiceError
from service.monitoring.logs import log
from service.monitoring.metrics import Metrics
from service.monitoring.silence import silent_stderr
from service.repository.card import Card, read_card
from service.repository.contract import (
    DEFAULT_SIGNATURE,
    Contract,
    Field,
    ServedContract,
    Signature,
    disagreements,
)
from service.repository.errors import RepositoryError
from service.repository.golden import (
    Golden,
    GoldenExample,
    Tensors,
    askable,
    batch_of,
    examples_by_signature,
    mismatches,
    read_golden,
)
from service.repository.independence import (
    Declared,
    RowIndependence,
    decide,
    needs_proof,
    prove_independence,
)
from service.repository.policy import read_policy
from service.repository.precision import Precision, precision_here
from service.repository.publication_marks import was_published_here
from service.runtime.batching import NoteBatch, run_alone
from service.runtime.call_cost import CallCost
from service.runtime.contract_derivation import completed, derive_contract, tensor_name
from service.runtime.device_placement import leave_cluster
from service.runtime.graphs.example_inputs import ExampleInputs
from service.runtime.graphs.state_writes import writes_state
from service.runtime.graphs.termination import is_bounded
from service.runtime.graphs.unsafe_operations import refused_operations
from service.runtime.independence_check import IndependenceCheck
from service.runtime.tensor_binding import Wiring
from service.runtime.tensorflow_errors import first_sentence
from service.runtime.tensorflow_paths import literal
from service.runtime.warmup_inputs import placeholders

# TensorFlow's C++ side reads this once, when it is imported: warnings and worse, no notices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with silent_stderr():
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
    from tensorflow.python.framework import op_def_registry
    from tensorflow.python.saved_model.loader_impl import SavedModelLoader

# Notices of deprecation are for TensorFlow's programmers; there is no other way to a session.
tf.get_logger().setLevel("ERROR")

# A first run at a new batch size costs many times a later one, while buffers are laid out.
_WARM_UP_ROWS = (1, 2, 8, 32)

_CALLING_THREAD = -1

# Each signature's call takes TensorFlow the longer to make, the more functions the graph has: 0.01
# s for one of a few, 0.5 s for one of 300. So many are made when a version is loaded, and further
# ones while as many seconds have not passed; the others when they are first called.
_MADE_AT_ONCE = 8
_MAKING_S = 3.0
_NOT_TRIED = "Of so many signatures not all are tried out when the version is loaded."

# Of a reason that is told to people.
_LONGEST_REASON = 1000

_Call = Callable[..., list[Any]]


class Fault(StrEnum):
    """What is wrong with a version that cannot serve: a fixed list, fit for a metric's label."""

    MANIFEST = "manifest"
    CARD = "card"
    GRAPH = "graph"
    OPERATIONS = "operations"
    CONTRACT = "contract"
    GOLDEN = "golden"
    NOT_FINITE = "not_finite"
    DEADLINE = "deadline"
    REPLACED = "replaced"
    UNFORESEEN = "unforeseen"


class LoadError(Exception):
    """A version cannot serve; the message says why in a sentence."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


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
    ) -> None:
        """Load the SavedModel in ``directory``.

        Args:
            model: the model's name.
            version: the version's number.
            directory: the version's folder.
            cores: how many cores one inference may use.
            most_rows: the most rows of a batch.
            metrics: where batches are counted.
            timeout_s: when a call has run for so long, it counts as stuck.

        Raises:
            LoadError: it is no SavedModel that can be served, or not the one its card describes.
        """
        self.model = model
        self.version = version
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
        self._end_metrics = partial(metrics.end_version, model, str(version))
        self.most_rows = most_rows
        self.note_batch: NoteBatch = counted.note_batch
        self._stuck_after_s = timeout_s
        self._costs = {name: CallCost(may_loop=name not in self._bounded) for name in self.contract}
        self._leases = 0
        self._retired = False
        self._lock = threading.Lock()
        self._on_close: Callable[[], None] = lambda: None

    def _open(self) -> None:
        self._session = _new_session(self._cores, self.precision)
        try:
            self._load(self._directory)
        except BaseException:
            self._session.close()
            raise
        # What the card and the graph say; the policy has a say as well.
        self._described = self.contract
        needed = needs_proof(self.contract)
        self._proofs = prove_independence(self._directory) if needed else {}
        self._decide_independence()

    def _load(self, directory: Path) -> None:
        try:
            meta_graph = self._restore(directory)
        except LoadError:
            raise
        except Exception as error:
            message = f"TensorFlow cannot load it: {first_sentence(error)}"
            raise LoadError(Fault.GRAPH, message) from error
        derived = derive_contract(meta_graph.signature_def, tf.make_ndarray)
        left_out = dict(derived.left_out)
        promised = self.card.contract if self.card else {}
        problems = _broken_promises(promised, left_out)
        problems = problems or disagreements(promised, derived.contract)
        if problems:
            raise LoadError(Fault.CONTRACT, problems[0])
        self._calls: dict[str, tuple[Wiring, _Call]] = {}
        self._unmade: set[str] = set()
        contract = completed(promised, derived.contract)
        began = time.monotonic()
        for i, name in enumerate(sorted(contract, key=self._importance)):
            at_once = i < _MADE_AT_ONCE or time.monotonic() - began < _MAKING_S
            try:
                wiring = self._wire(meta_graph.signature_def[name], contract[name])
                self._calls[name] = (
                    wiring,
                    self._make_call(wiring) if at_once else self._make_call_later(name, wiring),
                )
            except (KeyError, ValueError, tf.errors.OpError) as error:
                left_out[name] = first_sentence(error)
        problems = _broken_promises(promised, left_out)
        if not self._calls:
            told = [f"{name!r}: {reason}" for name, reason in left_out.items()]
            message = "It has no signature with only numeric, boolean and string tensors."
            problems = problems or [" ".join([message, *told])[:_LONGEST_REASON]]
        if problems:
            raise LoadError(Fault.CONTRACT, problems[0])
        self.contract = ServedContract(
            {name: each for name, each in contract.items() if name in self._calls}, left_out
        )
        for name, reason in left_out.items():
            log(
                logging.WARNING,
                "A signature cannot be served.",
                model=self.model,
                version=self.version,
                signature=name,
                reason=reason,
            )
        parsed = ExampleInputs(meta_graph.graph_def)
        self._parses_examples = {
            name
            for name, (wiring, _) in self._calls.items()
            if len(wiring.feeds) == 1 and parsed.takes(wiring.feeds[0])
        }
        self.signature_def: dict[str, Any] = {
            name: MessageToDict(
                definition,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for name, definition in sorted(meta_graph.signature_def.items())
        }

        graph = self._session.graph
        graph_def = graph.as_graph_def()
        self._writing = {
            name
            for name, definition in meta_graph.signature_def.items()
            if name in self._calls
            and writes_state(
                graph_def,
                [tensor_name(tensor) for tensor in definition.outputs.values()],
                lambda op: graph.op_def_for_type(op).is_stateful,
            )
        }
        self._bounded = {
            name
            for name in self._calls
            if is_bounded(
                meta_graph.graph_def,
                [tensor_name(info) for info in meta_graph.signature_def[name].outputs.values()],
                _is_stateful,
            )
        }

    def _restore(self, directory: Path) -> Any:
        """Load graph and variables, and return the ``MetaGraphDef``."""
        # What ``saved_model.loader.load`` is made of, with a look at the graph between. It is read
        # once: what is looked at must be what is loaded.
        with literal(directory) as path, self._session.graph.as_default():
            loader = SavedModelLoader(path)
            _check_operations(loader, directory)
            leave_cluster(loader.get_meta_graph_def_from_tags([tf.saved_model.SERVING]).graph_def)
            return loader.load(self._session, [tf.saved_model.SERVING])

    def _importance(self, name: str) -> tuple[bool, bool, bool, str]:
        """Return what sorts signatures by how soon somebody will ask for them, first ones first."""
        has_golden = any(
            example.signature == name for example in (self.golden.examples if self.golden else ())
        )
        is_promised = self.card is not None and name in self.card.contract
        return not has_golden, name != DEFAULT_SIGNATURE, not is_promised, name

    def _wire(self, definition: Any, signature: Signature) -> Wiring:
        """Return what to feed and fetch for a signature.

        Raises:
            KeyError, ValueError: the graph has not what the signature names.
        """
        inputs = {f.name: self._tensor(definition.inputs[f.name], f) for f in signature.inputs}
        outputs = {f.name: self._tensor(definition.outputs[f.name], f) for f in signature.outputs}
        return Wiring(signature, inputs, outputs, tf.bfloat16.as_numpy_dtype)

    def _make_call(self, wiring: Wiring) -> _Call:
        """Return the cheapest call that TensorFlow offers for a signature.

        The public ``Session.make_callable`` hands whatever takes arguments on to ``Session.run``,
        which looks feeds and fetches up anew each time; this is what Keras 2 called for its own
        functions, and costs a sixth for a small network (docs/performance.md). The graph runs on
        the calling thread: handing a small one over costs as much as running it (config.proto,
        ``RunOptions.inter_op_thread_pool``). Large operations still use the session's cores.

        Raises:
            ValueError, tf.errors.OpError: TensorFlow cannot run what the signature names.
        """
        if not wiring.fetches:
            return lambda *_: []
        options = config_pb2.CallableOptions(
            feed=wiring.feeds,
            fetch=wiring.fetches,
            run_options=config_pb2.RunOptions(inter_op_thread_pool=_CALLING_THREAD),
        )
        call: _Call = self._session._make_callable_from_options(options)
        return call

    def _make_call_later(self, name: str, wiring: Wiring) -> _Call:
        """Return a call that is made when it is first called, and then takes its own place."""
        lock = threading.Lock()
        self._unmade.add(name)

        def first(*arguments: Any) -> list[Any]:
            with lock:
                if name in self._unmade:
                    try:
                        made = self._make_call(wiring)
                    except (ValueError, tf.errors.OpError) as error:
                        # None of the client's doing, whatever TensorFlow calls it.
                        message = f"Signature {name!r} cannot be served: {first_sentence(error)}"
                        raise ServiceError(message) from error
                    self._calls[name] = (wiring, made)
                    self._unmade.discard(name)
            return self._calls[name][1](*arguments)

        return first

    def _tensor(self, info: Any, field: Field) -> str:
        """Return the name of a field's tensor, which the graph must have, of the field's dtype."""
        name = tensor_name(info)
        try:
            found = self._session.graph.get_tensor_by_name(name).dtype.base_dtype.name
        except (KeyError, ValueError) as error:
            message = f"The graph has no tensor {info.name!r}, which {field.name!r} names"
            raise ValueError(message) from error
        if found != field.dtype:
            message = f"It says that {field.name!r} is {field.dtype}, and the graph has {found}"
            raise ValueError(message)
        return name

    def cost(self, signature: Signature) -> CallCost:
        """Return what is known of how long the calls of one of ``contract``'s signatures take."""
        return self._costs[signature.name]

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
        return run_alone(
            partial(self.predict, signature),
            inputs,
            rows,
            batched=signature.runs_in_batches,
            most_rows=self.most_rows,
            note_batch=self.note_batch,
        )

    def parses_examples(self, signature_name: str) -> bool:
        """Whether a signature's only input is parsed as ``tf.train.Example`` messages."""
        return signature_name in self._parses_examples

    def predict(self, signature: Signature, inputs: Tensors) -> Tensors:
        """Run one batch, at once.

        Args:
            signature: one of ``contract``'s.
            inputs: an array for each of its inputs, of the input's dtype and shape.

        Returns:
            An array for each of its outputs, in the contract's order; strings are ``bytes``.

        Raises:
            InvalidRequestError: the graph itself refused the values.
            ServiceError: the graph failed.
        """
        try:
            wiring, call = self._calls[signature.name]
            return wiring.outputs(inputs, call(*wiring.arguments(inputs)))
        except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError) as error:
            message = f"The model refused the input: {first_sentence(error)}"
            raise InvalidRequestError(message) from error
        except tf.errors.OpError as error:
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
        for signature in self._described.values():
            if signature.name not in self._writing and self.independence[signature.name].holds:
                reason = _NOT_TRIED
                if signature.name not in self._unmade:
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
        for signature in self.contract.values():
            known = golden.get(signature.name, {})
            if signature.name in self._writing or (signature.name in self._unmade and not known):
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
        if self._writing & {example.signature for example in self.golden.examples}:
            self._session.close()
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
        session = getattr(self, "_session", None)
        if session is not None:
            session.close()

    def _close(self) -> None:
        self._session.close()
        # Whoever still holds this object need not hold the graph.
        del self._session, self._calls
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


def _new_session(cores: int, precision: Precision) -> Any:
    # A session costs half of what calling a loaded signature costs (docs/performance.md).
    config = tf.compat.v1.ConfigProto(
        allow_soft_placement=True,
        intra_op_parallelism_threads=cores,
        inter_op_parallelism_threads=1,
    )
    if precision is Precision.BF16:
        rewriter = config.graph_options.rewrite_options
        rewriter.auto_mixed_precision_onednn_bfloat16 = RewriterConfig.ON
    return tf.compat.v1.Session(graph=tf.Graph(), config=config)


def _check_operations(loader: SavedModelLoader, directory: Path) -> None:
    """Look at the graph before it is loaded, since loading runs a part of it.

    Raises:
        LoadError: it has operations that must not run.
    """
    try:
        allowed = read_policy(directory.parent).allow_operations
    except RepositoryError:
        allowed = ()
    try:
        problem = refused_operations(
            loader.get_meta_graph_def_from_tags([tf.saved_model.SERVING]),
            directory,
            is_known=lambda name: op_def_registry.get(name) is not None,
            allowed=allowed,
            trusted=was_published_here(directory),
        )
    except RecursionError:
        problem = "Its functions call one another more deeply than they can be looked at."
    if problem:
        raise LoadError(Fault.OPERATIONS, problem)


def _is_stateful(operation: str) -> bool | None:
    definition = op_def_registry.get(operation)
    return None if definition is None else bool(definition.is_stateful)


def _broken_promises(promised: Contract, left_out: Mapping[str, str]) -> list[str]:
    return [
        f"Signature {name!r} of the card cannot be served: {left_out[name]}"
        for name in promised
        if name in left_out
    ]
