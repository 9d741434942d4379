"""What runs a signature: a TensorFlow session, its threads, and a callable for each signature."""

import threading
from collections.abc import Callable
from typing import Any

from service.errors import ServiceError
from service.repository.contract import Field, Signature
from service.repository.precision import Precision
from service.runtime.contract_derivation import tensor_name
from service.runtime.tensor_binding import TensorBinding
from service.runtime.tensorflow_errors import GRAPH_ERRORS, first_sentence
from service.runtime.tensorflow_import import (
    CallableOptions,
    RewriterConfig,
    RunOptions,
    make_session_callable,
    tf,
)

_CALLING_THREAD = -1

Call = Callable[..., list[Any]]


def new_session(cores: int, precision: Precision) -> Any:
    """Return a session with an empty graph of its own.

    Args:
        cores: how many cores one operation may use.
        precision: what the graph computes in.
    """
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


class SignatureCalls:
    """The calls of one session's signatures.

    Attributes:
        by_name: for each signature what it feeds and fetches, and the call that does so.
        unmade: the signatures whose calls are made when they are first called.
    """

    def __init__(self, session: Any) -> None:
        """The calls of a graph that ``session`` holds, restored."""
        self._session = session
        self.by_name: dict[str, tuple[TensorBinding, Call]] = {}
        self.unmade: set[str] = set()

    def add(self, definition: Any, signature: Signature, *, at_once: bool) -> None:
        """Add the call of a signature.

        Args:
            definition: its ``SignatureDef``.
            signature: how the contract describes it.
            at_once: whether to make the call now, and not when it is first called.

        Raises:
            KeyError, ValueError, tf.errors.OpError: the graph has not what the signature names,
                or TensorFlow cannot run it.
        """
        inputs = {f.name: self._tensor(definition.inputs[f.name], f) for f in signature.inputs}
        outputs = {f.name: self._tensor(definition.outputs[f.name], f) for f in signature.outputs}
        binding = TensorBinding(signature, inputs, outputs, tf.bfloat16.as_numpy_dtype)
        if at_once:
            call = self._make(binding)
        else:
            call = self._make_when_called(signature.name, binding)
            self.unmade.add(signature.name)
        self.by_name[signature.name] = binding, call

    def close(self) -> None:
        """Close the session. Calls that run then fail as far as TensorFlow can make them."""
        self._session.close()

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

    def _make(self, binding: TensorBinding) -> Call:
        """Return the cheapest call that TensorFlow offers for a signature.

        The public ``Session.make_callable`` hands whatever takes arguments on to ``Session.run``,
        which looks feeds and fetches up anew each time; this is what Keras 2 called for its own
        functions, and costs a sixth for a small network (docs/performance.md). The graph runs on
        the calling thread: handing a small one over costs as much as running it (config.proto,
        ``RunOptions.inter_op_thread_pool``). Large operations still use the session's cores.

        Raises:
            ValueError, tf.errors.OpError: TensorFlow cannot run what the signature names.
        """
        if not binding.fetches:
            return lambda *_: []
        options = CallableOptions(
            feed=binding.feeds,
            fetch=binding.fetches,
            run_options=RunOptions(inter_op_thread_pool=_CALLING_THREAD),
        )
        return make_session_callable(self._session, options)

    def _make_when_called(self, name: str, binding: TensorBinding) -> Call:
        """Return a call that makes the real one when it is first called, and gives it its place."""
        lock = threading.Lock()

        def first(*arguments: Any) -> list[Any]:
            with lock:
                if name in self.unmade:
                    try:
                        made = self._make(binding)
                    except (ValueError, GRAPH_ERRORS) as error:
                        # Not the client's fault, whatever TensorFlow calls it.
                        message = f"Signature {name!r} cannot be served: {first_sentence(error)}"
                        raise ServiceError(message) from error
                    self.by_name[name] = (binding, made)
                    self.unmade.discard(name)
            return self.by_name[name][1](*arguments)

        return first
