"""The only import of TensorFlow in the service, with the private names that the service uses.

As of TensorFlow 2.21 these names are not public: ``Session._make_callable_from_options``,
``op_def_registry.get``, ``SavedModelLoader`` and ``RewriterConfig``. A test reads each of them, so
that an upgrade that drops one fails there (tests/service/runtime/test_tensorflow_import.py).
"""

import os
from collections.abc import Callable
from typing import Any

from service.monitoring.native_stderr import silent_stderr

# TensorFlow's C++ side reads this once, when it is imported: warnings and worse, no notices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with silent_stderr():
    import tensorflow as tf
    from tensorflow.core.example import example_pb2
    from tensorflow.core.framework import tensor_pb2
    from tensorflow.core.framework.tensor_pb2 import TensorProto
    from tensorflow.core.protobuf import error_codes_pb2, meta_graph_pb2
    from tensorflow.core.protobuf.config_pb2 import CallableOptions, RunOptions
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
    from tensorflow.python.framework import op_def_registry
    from tensorflow.python.saved_model.loader_impl import SavedModelLoader

# Notices of deprecation are for TensorFlow's programmers; there is no other way to a session.
tf.get_logger().setLevel("ERROR")

# The descriptors of the messages of TensorFlow that the gRPC services' messages contain.
MESSAGE_FILES = tuple(
    module.DESCRIPTOR for module in (example_pb2, tensor_pb2, error_codes_pb2, meta_graph_pb2)
)

__all__ = [
    "MESSAGE_FILES",
    "CallableOptions",
    "RewriterConfig",
    "RunOptions",
    "SavedModelLoader",
    "TensorProto",
    "is_known_operation",
    "is_stateful_operation",
    "make_session_callable",
    "tf",
]


def make_session_callable(session: Any, options: CallableOptions) -> Callable[..., list[Any]]:
    """Return a function that runs a session with ``options``: the fed arrays in, the fetched out.

    Raises:
        ValueError, tf.errors.OpError: TensorFlow cannot run what the options name.
    """
    call: Callable[..., list[Any]] = session._make_callable_from_options(options)
    return call


def is_known_operation(name: str) -> bool:
    """Whether this TensorFlow has an operation of that name."""
    return op_def_registry.get(name) is not None


def is_stateful_operation(name: str) -> bool | None:
    """Whether an operation is stateful; ``None`` where this TensorFlow does not have it."""
    definition = op_def_registry.get(name)
    return None if definition is None else bool(definition.is_stateful)
