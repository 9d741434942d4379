"""TensorFlow Serving's REST format of ``:classify`` and ``:regress``: examples to results.

An example names its features. Where the signature takes serialised ``tf.train.Example`` messages,
as those of kind "classify" and "regress" do, it becomes one. Otherwise its features are the
signature's inputs, as in an object in the rows of ``:predict``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow
import numpy as np

from service.api.codecs.tfserving.classify_responses import Results
from service.api.codecs.tfserving.predict_requests import read_objects
from service.api.codecs.tfserving.tf_example import example, feature
from service.api.validation.error_messages import shorten
from service.api.validation.problems import (
    Index,
    InvalidValueError,
    Problems,
    brackets,
    invalid_request,
    name_in_path,
    without_excess,
)
from service.api.validation.schemas import ExamplesEnvelope, load_envelope
from service.errors import InvalidRequestError
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors

_ENVELOPE = ExamplesEnvelope()
# As text; a few kilobytes of context repeated in tens of thousands of examples would fill memory.
_MOST_REPEATED = 256 * 2**20


@dataclass(frozen=True, slots=True)
class ExamplesRequest:
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: a tensor for each of its inputs.
        instances: how many examples were sent.
        results: makes the results of the response from the outputs.
    """

    signature: Signature
    inputs: Tensors
    instances: int
    results: Results

    def path_of(self, name: str, index: Index) -> str:
        """Return the path of the value of input ``name`` at ``index``."""
        return f"examples{brackets(index[:1])}.{name}{brackets(index[1:])}"

    def path_of_row(self, row: int) -> str:
        """Return the path of a row of all inputs."""
        return f"examples[{row}]"


def read_envelope(document: Any, *, limit: int) -> dict[str, Any]:
    """Return what surrounds the features: ``examples``, ``context`` and ``signature_name``.

    Args:
        document: the JSON value.
        limit: the most problems to report.

    Raises:
        InvalidRequestError: it is not such a request.
    """
    if not isinstance(document, dict):
        raise InvalidRequestError(
            f"Expected a JSON object with 'examples', not {shorten(document)}."
        )
    return load_envelope(_ENVELOPE, document, Problems(limit))


def takes_examples(signature: Signature) -> bool:
    """Whether a signature's only input may take serialised ``tf.train.Example`` messages."""
    return len(signature.inputs) == 1 and signature.inputs[0].dtype == "string"


def read_as_messages(
    signature: Signature, examples: Sequence[Any], context: Mapping[str, Any], *, limit: int
) -> Tensors:
    """Return examples as serialised ``tf.train.Example`` messages, for the only input.

    Args:
        signature: which takes them.
        examples: what should be an object of features each.
        context: features that all examples have, unless they have them themselves.
        limit: the most problems to report.

    Raises:
        InvalidRequestError: some are not that; its details name the places.
    """
    _check_context(context, len(examples))
    problems = Problems(limit)
    shared = _features(context, "context", problems)
    tensor = np.empty(len(examples), dtype=np.object_)
    for i, item in enumerate(examples):
        if problems.are_too_many:
            break
        path = f"examples[{i}]"
        if type(item) is dict:
            tensor[i] = shared + _features(item, path, problems)
        else:
            problems.add(path, f"Expected an object of features, not {shorten(item)}.")
    problems.raise_if_any()
    return {signature.inputs[0].name: tensor}


def read_as_rows(
    signature: Signature,
    examples: Sequence[Any],
    context: dict[str, Any],
    schema: marshmallow.Schema,
    *,
    limit: int,
) -> Tensors:
    """Return examples whose features are the signature's inputs, as the rows of ``:predict`` are.

    Args:
        signature: which takes them.
        examples: what should be an object of features each.
        context: features that all examples have, unless they have them themselves.
        schema: of the signature's inputs.
        limit: the most problems to report.

    Raises:
        InvalidRequestError: some are not that; its details name the places.
    """
    known = {field.name for field in signature.inputs}
    # It is in every row.
    context = without_excess(context, known, limit)
    _check_context(context, len(examples))
    rows = [_as_row(signature, item, context) for item in examples]
    return read_objects(signature, rows, schema, path="examples", limit=limit)


def _check_context(context: Mapping[str, Any], examples: int) -> None:
    """Check how large a context becomes that is repeated in each example.

    Raises:
        InvalidRequestError: it would be too much to hold.
    """
    size = len(repr(context)) * examples if context else 0
    if size > _MOST_REPEATED:
        message = (
            f"Repeated in each of {examples} examples it comes to {size} characters, and "
            f"{_MOST_REPEATED} are allowed; send fewer examples at once."
        )
        raise invalid_request("context", message)


def _features(item: Mapping[str, Any], path: str, problems: Problems) -> bytes:
    found = {}
    for name, value in item.items():
        if problems.are_too_many:
            break
        try:
            found[name] = feature(value)
        except InvalidValueError as error:
            problems.add_value(f"{path}.{name_in_path(name)}", error)
    return example(found)


def _as_row(signature: Signature, item: Any, context: Mapping[str, Any]) -> Any:
    """Return an example as an object in the rows of ``:predict``."""
    if type(item) is not dict:
        return item
    row = {**context, **item}
    for field in signature.inputs:
        if field.name in row:
            row[field.name] = _as_input(field, row[field.name])
    return row


def _as_input(field: Field, value: Any) -> Any:
    """Give a feature the form of its input: an Example has flat lists alone, row by row."""
    shape = field.instance_shape
    if shape is None or None in shape:
        return value
    sizes = [size for size in shape if size is not None]
    flat = value if type(value) is list else [value]
    if len(flat) != math.prod(sizes) or any(type(item) is list for item in flat):
        return value
    if not sizes:
        return flat[0]
    for size in reversed(sizes[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), size)]
    return flat
