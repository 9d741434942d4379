"""One loaded version of a model. The only module of the service that imports TensorFlow."""

import math
import os
import re
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict

from service.errors import InvalidRequestError, ServiceError
from service.metrics import Metrics
from service.quiet import silent_stderr
from service.repository.card import Card, read_card
from service.repository.contract import NUMPY_TYPES, Contract, Field, Signature, disagreements
from service.repository.errors import RepositoryError
from service.repository.golden import (
    Golden,
    Tensors,
    batch_of,
    examples_by_signature,
    mismatches,
    read_golden,
)
from service.runtime.batching import Batcher
from service.runtime.execution import Execution
from service.runtime.termination import is_bounded

# TensorFlow's C++ side reads this once, when it is imported: warnings and worse, no notices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with silent_stderr():
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.framework import op_def_registry

# Notices of deprecation are for TensorFlow's programmers; there is no other way to a session.
tf.get_logger().setLevel("ERROR")

# A first run at a new batch size costs many times a later one, while buffers are laid out.
_WARM_UP_ROWS = (1, 2, 8, 32)

_CALLING_THREAD = -1

_Call = Callable[..., list[Any]]

# Lines of TensorFlow's messages that say where in the graph, before the one that says what.
_NO_REASON = ("Graph execution error", "Detected at node", "File ", "<", "[[", "node ")
# Node names, fetches, paths: of no use to who reads the message, and not meant for them.
_INNER = re.compile(r"\{\{.*?\}\}|\[\[.*?\]\]|\S*/\S*")


class Fault(StrEnum):
    """What is wrong with a version that cannot serve: a fixed list, fit for a metric's label."""

    MANIFEST = "manifest"
    CARD = "card"
    GRAPH = "graph"
    CONTRACT = "contract"
    GOLDEN = "golden"
    NOT_FINITE = "not_finite"
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
        contract: what it takes and gives, by signature; from the card, else from the graph.
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
        # A session costs half of what calling a loaded signature costs (docs/performance.md).
        self._session = tf.compat.v1.Session(
            graph=tf.Graph(),
            config=tf.compat.v1.ConfigProto(
                intra_op_parallelism_threads=cores, inter_op_parallelism_threads=1
            ),
        )
        try:
            self._load(directory)
        except BaseException:
            self._session.close()
            raise
        self._batchers = {
            signature.name: Batcher(
                partial(self.predict, signature),
                batched=signature.has_rows,
                most_rows=most_rows,
                note_batch=metrics.version(model, str(version)).note_batch,
                execution=Execution(is_bounded=signature.name in self._bounded),
                stuck_after_s=timeout_s,
                hold=self._hold,
                let_go=self.release,
            )
            for signature in self.contract.values()
        }
        self._leases = 0
        self._retired = False
        self._lock = threading.Lock()
        self._on_close: Callable[[], None] = lambda: None

    def _load(self, directory: Path) -> None:
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.loader.load(
                    self._session, [tf.saved_model.SERVING], str(directory)
                )
        except Exception as error:
            message = f"TensorFlow cannot load it: {_first_sentence(error)}"
            raise LoadError(Fault.GRAPH, message) from error
        derived = _derive_contract(meta_graph.signature_def)
        if not derived:
            message = "It has no signature with only numeric, boolean and string tensors."
            raise LoadError(Fault.CONTRACT, message)
        promised = self.card.contract if self.card else {}
        problems = disagreements(promised, derived)
        if problems:
            raise LoadError(Fault.CONTRACT, problems[0])
        self.contract: Contract = {**derived, **promised}
        self.signature_def: dict[str, Any] = {
            name: MessageToDict(
                definition,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for name, definition in sorted(meta_graph.signature_def.items())
        }
        self._calls: Mapping[str, _Call] = {
            name: self._make_call(definition, self.contract[name])
            for name, definition in meta_graph.signature_def.items()
            if name in derived
        }
        self._bounded = {
            name
            for name in derived
            if is_bounded(
                meta_graph.graph_def,
                [info.name for info in meta_graph.signature_def[name].outputs.values()],
                _is_stateful,
            )
        }

    def _make_call(self, definition: Any, signature: Signature) -> _Call:
        """Return the cheapest call that TensorFlow offers for a signature.

        The public ``Session.make_callable`` hands whatever takes arguments on to ``Session.run``,
        which looks feeds and fetches up anew each time; this is what Keras 2 called for its own
        functions, and costs a sixth for a small network (docs/performance.md). The graph runs on
        the calling thread: handing a small one over costs as much as running it (config.proto,
        ``RunOptions.inter_op_thread_pool``). Large operations still use the session's cores.
        """
        options = config_pb2.CallableOptions(
            feed=[definition.inputs[field.name].name for field in signature.inputs],
            fetch=[definition.outputs[field.name].name for field in signature.outputs],
            run_options=config_pb2.RunOptions(inter_op_thread_pool=_CALLING_THREAD),
        )
        call: _Call = self._session._make_callable_from_options(options)
        return call

    def batcher(self, signature: Signature) -> Batcher:
        """Return what runs the requests for one of ``contract``'s signatures."""
        return self._batchers[signature.name]

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
            values = self._calls[signature.name](*(inputs[f.name] for f in signature.inputs))
        except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError) as error:
            message = f"The model refused the input: {_first_sentence(error)}"
            raise InvalidRequestError(message) from error
        except tf.errors.OpError as error:
            raise ServiceError(f"The model failed: {_first_sentence(error)}") from error
        return {f.name: np.asarray(v) for f, v in zip(signature.outputs, values, strict=True)}

    def warm_up(self) -> None:
        """Run each signature at several batch sizes, so that no client pays for a first run.

        A signature without golden examples runs on placeholder values; that the graph refuses
        those says nothing of the version.

        Raises:
            LoadError: a golden example cannot be run.
        """
        golden = self._golden_batches()
        for signature in self.contract.values():
            row = {name: tensor[:1] for name, tensor in golden.get(signature.name, {}).items()}
            for rows in _WARM_UP_ROWS if signature.batched else (1,):
                inputs = {
                    f.name: np.repeat(row[f.name], rows, axis=0) if row else _placeholder(f, rows)
                    for f in signature.inputs
                }
                try:
                    self.predict(signature, inputs)
                except ServiceError as error:
                    if row:
                        raise LoadError(Fault.GOLDEN, error.message) from error
                    break

    def prove(self) -> None:
        """Answer the golden examples.

        Raises:
            LoadError: an answer is not the golden one, or is a NaN or an infinity.
        """
        if self.golden is None:
            return
        for signature, examples in examples_by_signature(self.golden, self.contract):
            try:
                outputs = self.predict(signature, batch_of(signature, examples))
            except (ServiceError, RepositoryError) as error:
                raise LoadError(Fault.GOLDEN, str(error)) from error
            for name, tensor in outputs.items():
                if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                    message = f"It answers NaN or infinity in {name!r} to a golden example."
                    raise LoadError(Fault.NOT_FINITE, message)
            problems = mismatches(self.golden, examples, outputs)
            if problems:
                raise LoadError(Fault.GOLDEN, problems[0])

    @property
    def stuck(self) -> dict[str, float]:
        """For how long calls have been stuck, in seconds, by signature; only those that are."""
        batchers = getattr(self, "_batchers", {})
        return {name: each.stuck_s for name, each in batchers.items() if each.stuck_s}

    def break_off(self) -> None:
        """End stuck calls, if the version is retired and nothing but them holds it."""
        with self._lock:
            ends = self._retired and 0 < self._leases == len(self.stuck)
        if ends:
            # It cancels what runs; the last call to return unloads the rest.
            self._session.close()

    def acquire(self) -> bool:
        """Take a lease, which keeps the version loaded; ``False`` when it is already retired."""
        with self._lock:
            if self._retired:
                return False
            self._leases += 1
            return True

    def _hold(self) -> None:
        """Take a lease for a caller that has one, and may give it back first."""
        with self._lock:
            self._leases += 1

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

    def _close(self) -> None:
        self._session.close()
        # Whoever still holds this object need not hold the graph.
        del self._session, self._calls, self._batchers
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


def _derive_contract(definitions: Mapping[str, Any]) -> Contract:
    """Describe the signatures whose tensors are all of dtypes that JSON can carry."""
    contract = {}
    for name, definition in sorted(definitions.items()):
        try:
            inputs, outputs = _fields(definition.inputs), _fields(definition.outputs)
        except RepositoryError:
            continue
        contract[name] = Signature(name, inputs, outputs)
    return contract


def _fields(tensors: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(_field(name, info) for name, info in sorted(tensors.items()))


def _field(name: str, info: Any) -> Field:
    # Initialisers are listed as signatures too; what they "give" is an operation, of no dtype.
    if info.WhichOneof("encoding") != "name" or not info.dtype:
        raise RepositoryError(f"{name} is not a dense tensor.")
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(None if d.size < 0 else int(d.size) for d in info.tensor_shape.dim)
    return Field(name=name, dtype=tf.as_dtype(info.dtype).name, shape=shape)


def _is_stateful(operation: str) -> bool | None:
    definition = op_def_registry.get(operation)
    return None if definition is None else bool(definition.is_stateful)


def _placeholder(field: Field, rows: int) -> np.ndarray[Any, Any]:
    shape = field.shape if field.shape is not None else (None,)
    sizes = [1 if size is None else size for size in shape]
    if field.has_batch:
        sizes[0] = rows
    filler = b"" if field.dtype == "string" else 0
    return np.full(sizes, filler, dtype=NUMPY_TYPES[field.dtype])


def _first_sentence(error: Exception) -> str:
    """Return what TensorFlow says, without its traceback, node names and paths."""
    message = getattr(error, "message", None) or str(error)
    lines = [line.strip() for line in message.splitlines()]
    told = [line for line in lines if line and not line.startswith(_NO_REASON)]
    text = re.sub(_INNER, "", told[0] if told else type(error).__name__)
    text = " ".join(text.split())[:300].rstrip(" .:")
    return f"{text}."
