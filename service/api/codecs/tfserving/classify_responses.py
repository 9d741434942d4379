"""Outputs to the ``results`` of ``:classify`` and ``:regress``.

TensorFlow Serving knows which outputs those are by the names that its signatures of these kinds
have (``classes`` and ``scores``; ``outputs``). Signatures of TensorFlow 2 are all of the kind
"predict" with outputs of any name; for them the contract decides.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from service.errors import InvalidRequestError
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors

# Makes the results of a request from the signature's outputs: one result a row.
Results = Callable[[Tensors], list[Any]]

_CLASSES, _SCORES, _VALUES = "classes", "scores", "outputs"


def classification_results(signature: Signature) -> Results | None:
    """Return what makes ``[[label, score], ...]`` a row; ``None`` if it is not a classification.

    In this order, the first that fits:

    1. outputs ``classes`` (strings) and ``scores`` (floats), or one of the two, both [N,k];
    2. a string output [N] with k choices and the one float output [N,k]: the choices' scores;
    3. a string output [N] with two choices and the one float output [N] from 0 to 1: that is the
       second choice's probability, as a sigmoid gives it;
    4. a string output [N] and the one float output [N] from 0 to 1: the best class alone.
    """
    found = _classes_and_scores(signature)
    if found:
        return found
    labels = _only(f for f in signature.outputs if f.dtype == "string" and _is_rank(f, 1))
    if labels is None:
        return None
    choices = [str(choice) for choice in labels.choices]
    scores = _only(
        f
        for f in signature.outputs
        if f.is_float and choices and _is_rank(f, 2) and f.instance_shape == (len(choices),)
    )
    if scores:
        return lambda outputs: [_pairs(choices, row) for row in outputs[scores.name]]
    probability = _only(
        f
        for f in signature.outputs
        if f.is_float and _is_rank(f, 1) and (f.minimum, f.maximum) == (0, 1)
    )
    if probability is None:
        return None
    if len(choices) == 2:
        return lambda outputs: [
            _pairs(choices, (p.dtype.type(1) - p, p)) for p in outputs[probability.name]
        ]
    return lambda outputs: [
        _pairs([label], [score])
        for label, score in zip(outputs[labels.name], outputs[probability.name], strict=True)
    ]


def regression_results(signature: Signature, *, first: bool) -> Results | None:
    """Return what makes one number a row; ``None`` if it is not a regression.

    It is the output ``outputs``, else the only float output; each [N] or [N,1].

    Args:
        signature: the signature.
        first: whether the first output is the result where there are several: a card lists them
            in an order that means something.
    """
    values = [f for f in signature.outputs if f.is_float and _is_column(f)]
    named = _named(signature, _VALUES)
    if named is not None:
        # An output of unknown rank is checked when it is there.
        field = named if named in values or (named.is_float and named.shape is None) else None
    elif first and signature.outputs and signature.outputs[0] in values:
        field = signature.outputs[0]
    else:
        field = values[0] if len(values) == 1 else None
    if field is None:
        return None

    def results(outputs: Tensors) -> list[Any]:
        tensor = outputs[field.name]
        if tensor.ndim not in (1, 2) or tensor.size != len(tensor):
            raise InvalidRequestError(
                f"Output {field.name!r} has shape {list(tensor.shape)}, not [N] or [N, 1]."
            )
        return list(tensor.reshape(-1))

    return results


def _classes_and_scores(signature: Signature) -> Results | None:
    classes, scores = _named(signature, _CLASSES), _named(signature, _SCORES)
    if classes is None and scores is None:
        return None
    # Outputs of unknown rank are checked when they are there.
    if classes is not None and not (
        classes.dtype == "string" and (classes.shape is None or _is_rank(classes, 2))
    ):
        return None
    if scores is not None and not (
        scores.is_float and (scores.shape is None or _is_rank(scores, 2))
    ):
        return None

    def results(outputs: Tensors) -> list[Any]:
        labels, numbers = outputs.get(_CLASSES), outputs.get(_SCORES)
        # TensorFlow Serving's fillers: what a message has in a field that is not set.
        if labels is None and numbers is not None:
            labels = np.full(numbers.shape, b"", dtype=np.object_)
        if numbers is None and labels is not None:
            numbers = np.zeros(labels.shape, dtype=np.float32)
        assert labels is not None
        assert numbers is not None
        if labels.ndim != 2:
            raise InvalidRequestError(
                f"The scores have shape {list(labels.shape)}, not [N, k] for k classes."
            )
        if labels.shape != numbers.shape:
            raise InvalidRequestError(
                f"Outputs {_CLASSES!r} and {_SCORES!r} have shapes {list(labels.shape)} and "
                f"{list(numbers.shape)}; they should be the same."
            )
        return [_pairs(row, scores) for row, scores in zip(labels, numbers, strict=True)]

    return results


def _pairs(labels: Iterable[Any], scores: Iterable[Any]) -> list[list[Any]]:
    return [[label, score] for label, score in zip(labels, scores, strict=True)]


def _named(signature: Signature, name: str) -> Field | None:
    return next((field for field in signature.outputs if field.name == name), None)


def _only(fields: Iterable[Field]) -> Field | None:
    found = list(fields)
    return found[0] if len(found) == 1 else None


def _is_rank(field: Field, rank: int) -> bool:
    return field.shape is not None and len(field.shape) == rank and field.has_batch


def _is_column(field: Field) -> bool:
    return _is_rank(field, 1) or (_is_rank(field, 2) and field.instance_shape == (1,))
