"""TensorFlow's errors: whose fault they are, and their messages as sentences for clients."""

import re

from service.runtime.tensorflow_import import tf

# The graph itself refused the values that it was fed.
INPUT_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError)
# All errors of running a graph, those above included.
GRAPH_ERRORS = tf.errors.OpError

# Lines of TensorFlow's messages that say where in the graph, before the one that says what.
_NO_REASON = ("Graph execution error", "Detected at node", "File ", "<", "[[", "node ")
# Node names, fetches, paths: of no use to who reads the message, and not meant for them.
_INNER = re.compile(r"\{\{.*?\}\}|\[\[.*?\]\]|\S*/\S*")
_LONGEST = 300


def first_sentence(error: Exception) -> str:
    """Return what TensorFlow says, without its traceback, node names and paths."""
    message = getattr(error, "message", None) or str(error)
    lines = [line.strip() for line in message.splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_NO_REASON)]
    text = re.sub(_INNER, "", reasons[0] if reasons else type(error).__name__)
    text = " ".join(text.split())[:_LONGEST].rstrip(" .:")
    return f"{text}."
