"""TensorFlow's errors: whose fault they are, and their messages as sentences for clients."""

import re

from service.runtime.tensorflow_import import tf

# The graph itself refused the values that it was fed. Where its message repeats bytes that are not
# UTF-8, TensorFlow fails to make one of its own errors of it; such bytes come from those values.
INPUT_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError, UnicodeDecodeError)
# All errors of running a graph, those above included.
GRAPH_ERRORS = tf.errors.OpError

# Lines of TensorFlow's messages that say where in the graph, before the one that says what.
_NO_REASON = ("Graph execution error", "Detected at node", "File ", "<", "[[", "node ")
# Node names, fetches, paths: of no use to who reads the message, and not meant for them.
_INNER = re.compile(r"\{\{.*?\}\}|\[\[.*?\]\]|\S*/\S*")
_LONGEST = 300

# How examples that do not fit are refused (example_proto_fast_parsing.cc), and what it means to who
# sent a feature in JSON, where a number without a decimal point is an int64.
_FEATURE = r"Name: .*?, (?:Key|Feature): (?P<name>.*?)"
_EXAMPLES = (
    (
        re.compile(
            _FEATURE + r", Index: \d+\.\s+Data types don't match\. "
            r"Data type: (?P<sent>\w+) but expected type: (?P<kind>\w+)"
        ),
        "Feature {name!r}: Expected {kind}, not {sent}",
    ),
    (
        re.compile(
            _FEATURE + r", Index: \d+\.\s+Number of (?P<kind>\w+) values != expected\.\s+"
            r"values size: (?P<sent>\d+) but output shape: (?P<shape>\[.*?\])",
            re.IGNORECASE,
        ),
        "Feature {name!r}: Expected values of shape {shape}, not {sent} of them",
    ),
    (
        re.compile(_FEATURE + r" \(data type: (?P<kind>\w+)\) is required but could not be found"),
        "Feature {name!r}: Missing; expected {kind}",
    ),
)
_KINDS = {
    "float": "numbers like 2.0",
    "int64": "whole numbers like 2",
    "string": "strings",
}


def first_sentence(error: Exception) -> str:
    """Return what TensorFlow says, without its traceback, node names and paths."""
    if isinstance(error, UnicodeDecodeError):
        # What could not be decoded is the message.
        message = error.object.decode(errors="replace")
    else:
        message = getattr(error, "message", None) or str(error)
    lines = [line.strip() for line in message.splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_NO_REASON)]
    text = re.sub(_INNER, "", reasons[0] if reasons else type(error).__name__)
    text = _of_example(" ".join(text.split()))[:_LONGEST].rstrip(" .:")
    return f"{text}."


def _of_example(text: str) -> str:
    """Return what the parser of examples says in our words; any other text as it is."""
    for pattern, words in _EXAMPLES:
        if found := pattern.match(text):
            known = found.groupdict()
            return words.format(**{key: _KINDS.get(known[key], known[key]) for key in known})
    return text
