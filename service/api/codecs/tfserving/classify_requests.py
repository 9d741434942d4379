"""TensorFlow Serving's REST format of ``:classify`` and ``:regress``: examples to results.

An example names its features. Where the signature takes serialised ``tf.train.Example`` messages,
as those of kind "classify" and "regress" do, it becomes one; else its features are the
signature's inputs, and an example is what an object in the rows of ``:predict`` is.
"""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from enum import Enum
from typing import Any

import marshmallow
import numpy as np
import orjson

from service.api.codecs.tfserving import predict_requests
from service.api.codecs.tfserving.classify_responses import Results, classification, regression
from service.api.codecs.tfserving.tf_example import FeatureError, example, feature
from service.api.http.request_body import json_value
from service.api.http.responses import Answer
from service.api.json.value_budget import expect_features
from service.api.validation.messages import shorten
from service.api.validation.problems import (
    LONGEST_NAME,
    brackets,
    check_count,
    check_finite,
    envelope_problems,
    refusal,
    without_excess,
)
from service.api.validation.schemas import ExamplesEnvelope, SchemaBook
from service.api.validation.tensors import Index
from service.errors import InvalidRequestError
from service.repository.contract import DEFAULT_SIGNATURE, Field, Signature
from service.repository.golden import Tensors
from service.repository.json_strings import string_to_json
from service.runtime.servable import Servable

_ENVELOPE = ExamplesEnvelope()
# As text; a few kilobytes of context repeated in tens of thousands of examples would fill memory.
_MOST_REPEATED = 256 * 2**20


class Method(Enum):
    """What is asked for. The value is TensorFlow's name of the kind of signature for it."""

    CLASSIFY = "tensorflow/serving/classify"
    REGRESS = "tensorflow/serving/regress"

    @property
    def noun(self) -> str:
        return "classification" if self is Method.CLASSIFY else "regression"


@dataclass(frozen=True, slots=True)
class ExamplesRequest:
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: a tensor for each of its inputs.
        instances: how many examples were sent.
        results: makes the answer out of the outputs.
    """

    signature: Signature
    inputs: Tensors
    instances: int
    results: Results

    def place(self, name: str, index: Index) -> str:
        """Return the path of the value of input ``name`` at ``index``."""
        return f"examples{brackets(index[:1])}.{name}{brackets(index[1:])}"

    def row(self, row: int) -> str:
        """Return the path of a row of all inputs."""
        return f"examples[{row}]"


class ExamplesCodec:
    """TensorFlow Serving's JSON of ``:classify`` and of ``:regress``."""

    def __init__(self, method: Method, *, max_rows: int, max_errors: int) -> None:
        """Prepare.

        Args:
            method: what is asked for.
            max_rows: the most examples of a request.
            max_errors: the most problems of one request that are listed.
        """
        self._method = method
        self._max_rows = max_rows
        self._max_errors = max_errors
        self._schemas = SchemaBook(limit=max_errors)
        self._signature_name = DEFAULT_SIGNATURE

    def calling(self, signature_name: str) -> "ExamplesCodec":
        """Return the codec of requests for another signature, unless they name one themselves."""
        other = copy(self)
        other._signature_name = signature_name
        return other

    def parse(self, body: bytes) -> Any:
        expect_features()
        return json_value(body)

    def read(self, document: Any, servable: Servable) -> ExamplesRequest:
        if not isinstance(document, dict):
            raise InvalidRequestError(
                f"Expected a JSON object with 'examples', not {shorten(document)}."
            )
        try:
            envelope = _ENVELOPE.load(without_excess(document, _ENVELOPE.fields, self._max_errors))
        except marshmallow.ValidationError as error:
            raise refusal(envelope_problems(error), self._max_errors) from error
        signature = predict_requests.signature_of(
            servable.contract, envelope.get("signature_name") or self._signature_name
        )
        kind = servable.signature_def[signature.name]["method_name"]
        results = self._results(signature, kind, servable)
        examples, context = envelope["examples"], envelope["context"]
        check_count("examples", len(examples), most=self._max_rows)
        if _takes_examples(signature) and (
            kind == self._method.value or servable.parses_examples(signature.name)
        ):
            _check_context(context, len(examples))
            inputs = _serialised(signature, examples, context, self._max_errors)
        else:
            known = {field.name for field in signature.inputs}
            # It is in every row.
            context = without_excess(context, known, self._max_errors)
            _check_context(context, len(examples))
            inputs = predict_requests.read_objects(
                signature,
                [_as_row(signature, item, context) for item in examples],
                self._schemas.schema(servable, signature),
                place="examples",
                limit=self._max_errors,
            )
        return ExamplesRequest(signature, inputs, len(examples), results)

    def write(self, request: ExamplesRequest, outputs: Tensors, servable: Servable) -> Answer:
        for name, tensor in outputs.items():
            if tensor.ndim == 0 or tensor.shape[0] != request.instances:
                raise InvalidRequestError(
                    f"Output {name!r} has shape {list(tensor.shape)}, not a row for each of the "
                    f"{request.instances} examples."
                )
            check_finite(name, tensor)
        return Answer(
            orjson.dumps(
                {"results": request.results(outputs)},
                default=string_to_json,
                option=orjson.OPT_SERIALIZE_NUMPY,
            )
        )

    def _results(self, signature: Signature, kind: str, servable: Servable) -> Results:
        other = Method.REGRESS if self._method is Method.CLASSIFY else Method.CLASSIFY
        found = None
        if kind != other.value:
            if self._method is Method.CLASSIFY:
                found = classification(signature)
            else:
                task = servable.card.task if servable.card else ""
                found = regression(signature, first=task == "regression")
        if found is None:
            outputs = ", ".join(field.name for field in signature.outputs)
            raise InvalidRequestError(
                f"Signature {signature.name!r} is no {self._method.noun} (its method is {kind}, "
                f"its outputs are {outputs}); ask with :predict."
            )
        return found


def _takes_examples(signature: Signature) -> bool:
    return len(signature.inputs) == 1 and signature.inputs[0].dtype == "string"


def _check_context(context: Mapping[str, Any], examples: int) -> None:
    """Check what becomes of a context that is repeated in each example.

    Raises:
        InvalidRequestError: it would be too much to hold.
    """
    size = len(repr(context)) * examples if context else 0
    if size > _MOST_REPEATED:
        message = (
            f"Repeated in each of {examples} examples it comes to {size} characters, and "
            f"{_MOST_REPEATED} are allowed; send fewer examples at once."
        )
        raise refusal({"context": [message]}, 1)


def _serialised(
    signature: Signature, examples: Sequence[Any], context: Mapping[str, Any], limit: int
) -> Tensors:
    problems: dict[str, list[str]] = {}
    shared = _features(context, "context", problems, limit)
    tensor = np.empty(len(examples), dtype=np.object_)
    for i, item in enumerate(examples):
        if len(problems) > limit:
            break
        place = f"examples[{i}]"
        if type(item) is dict:
            tensor[i] = shared + _features(item, place, problems, limit)
        else:
            problems[place] = [f"Expected an object of features, not {shorten(item)}."]
    if problems:
        raise refusal(problems, limit)
    return {signature.inputs[0].name: tensor}


def _features(
    item: Mapping[str, Any], place: str, problems: dict[str, list[str]], limit: int
) -> bytes:
    found = {}
    for name, value in item.items():
        if len(problems) > limit:
            break
        try:
            found[name] = feature(value)
        except FeatureError as error:
            index = brackets(() if error.index is None else (error.index,))
            problems[f"{place}.{name[:LONGEST_NAME]}{index}"] = [error.message]
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
