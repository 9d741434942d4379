"""Makes the reference of a version from rows that it has answered.

Which measures are taken follows from the contract alone. For texts and pictures the answers are
the best detector of a change ("Failing Loudly", Rabanser, Guennemann and Lipton, NeurIPS 2019);
the measures of the inputs themselves show how they changed.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors
from service.repository.reference.binned_field import INPUTS, OUTPUTS, BinnedField
from service.repository.reference.measures import MEASURES, top_probability
from service.repository.reference.reference_file import Reference

_QUANTILES = 10
# Rarer values than these are counted together.
_MOST_CATEGORIES = 50
# The values of longer vectors are not looked at one by one.
_LONGEST_VECTOR = 16
_MOST_FIELDS = 64
_LOW, _HIGH = "_low", "_high"


def describe_rows(
    signature: Signature,
    inputs: Tensors,
    outputs: Tensors,
    *,
    origin: str,
    held_out: bool,
    calibrated: bool = True,
) -> Reference:
    """Return the reference that rows and their answers make.

    Args:
        signature: what was called.
        inputs: an array for each of its inputs, [rows, ...].
        outputs: an array for each of its outputs, [rows, ...].
        origin: where the rows come from, for people.
        held_out: whether the model did not learn from them.
        calibrated: whether its probabilities are; else they say nothing of its accuracy.
    """
    fields = [f for field in signature.inputs for f in _of_input(field, inputs)]
    fields += _of_outputs(signature, outputs)
    probability = probability_output(signature) if calibrated else ""
    expected = None
    if probability:
        expected = float(top_probability(outputs[probability]).mean())
    return Reference(
        signature=signature.name,
        rows=len(next(iter(outputs.values()))),
        origin=origin,
        held_out=held_out,
        fields=tuple(fields[:_MOST_FIELDS]),
        probability=probability,
        expected_accuracy=expected,
    )


def probability_output(signature: Signature) -> str:
    """Return the output that says how probable classes are; empty where none does.

    That is a vector between 0 and 1; or, where the label is one of two, a single such number.
    """
    between = [f for f in signature.outputs if f.is_float and (f.minimum, f.maximum) == (0, 1)]
    vectors = [f.name for f in between if len(f.shape or ()) == 2 and not f.is_single]
    if vectors:
        return vectors[0]
    of_two = any(f.dtype == "string" and len(f.choices) == 2 for f in signature.outputs)
    return between[0].name if of_two and len(between) == 1 else ""


def _of_input(field: Field, inputs: Tensors) -> Iterator[BinnedField]:
    tensor = inputs[field.name]
    width = int(np.prod(tensor.shape[1:]))
    if field.content_types or not width:
        return
    if field.dtype == "string":
        if field.choices:
            yield _categories(INPUTS, field, tensor)
        elif width == 1:
            for measure in ("length", "word length", "non-ASCII"):
                yield _numbers(INPUTS, field.name, measure, inputs)
    elif field.choices or field.dtype == "bool":
        if width == 1:
            yield _categories(INPUTS, field, tensor)
    elif width == 1:
        yield _numbers(INPUTS, field.name, "value", inputs)
    elif tensor.ndim == 2 and width <= _LONGEST_VECTOR:
        for place in range(width):
            yield _numbers(INPUTS, field.name, "component", inputs, float(place))
    else:
        low = float(np.nanmin(tensor)) if field.minimum is None else field.minimum
        high = float(np.nanmax(tensor)) if field.maximum is None else field.maximum
        yield _numbers(INPUTS, field.name, "mean", inputs)
        yield _numbers(INPUTS, field.name, "contrast", inputs)
        yield _numbers(INPUTS, field.name, "foreground", inputs, (low + high) / 2)
        if tensor.ndim >= 3:
            yield _numbers(INPUTS, field.name, "detail", inputs)


def _of_outputs(signature: Signature, outputs: Tensors) -> Iterator[BinnedField]:
    single = {
        field.name: field
        for field in signature.outputs
        if int(np.prod(outputs[field.name].shape[1:])) == 1
    }
    labels = [f for f in single.values() if f.dtype == "string"]
    for field in labels:
        yield _categories(OUTPUTS, field, outputs[field.name])
    for name, field in single.items():
        stem = name.removesuffix(_LOW).removesuffix(_HIGH)
        is_interval = stem != name and {f"{stem}{_LOW}", f"{stem}{_HIGH}"} <= single.keys()
        if is_interval:
            if name.endswith(_LOW):
                yield _numbers(OUTPUTS, stem, "width", outputs)
        elif field.is_float:
            yield _numbers(OUTPUTS, name, "value", outputs)
        elif field.dtype != "string" and not labels:
            # A class's number says what its label says.
            yield _categories(OUTPUTS, field, outputs[name])
    if not any(field.is_float for field in single.values()):
        vector = probability_output(signature)
        if vector and outputs[vector].shape[1] <= _LONGEST_VECTOR:
            for place in range(outputs[vector].shape[1]):
                yield _numbers(OUTPUTS, vector, "component", outputs, float(place))


def _categories(side: str, field: Field, tensor: npt.NDArray[Any]) -> BinnedField:
    values = [_as_json(value) for value in tensor.reshape(len(tensor), -1)[:, 0].tolist()]
    found = Counter(values)
    known = list(field.choices) or sorted(found, key=lambda value: (-found[value], str(value)))
    kept = known[:_MOST_CATEGORIES]
    counts = [found[value] for value in kept]
    return BinnedField(
        side=side,
        tensor=field.name,
        measure="category",
        counts=(*counts, len(values) - sum(counts)),
        categories=tuple(kept),
    )


def _numbers(
    side: str, name: str, measure: str, tensors: Tensors, parameter: float = 0.0
) -> BinnedField:
    values = MEASURES[measure](tensors, name, parameter)
    known = values[~np.isnan(values)]
    if not len(known):
        known = np.zeros(1)
    # Values that occur, so that many equal ones make one bin.
    shares = np.linspace(0, 1, _QUANTILES + 1)
    edges = np.unique(np.quantile(known, shares, method="inverted_cdf"))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    empty = BinnedField(
        side=side,
        tensor=name,
        measure=measure,
        counts=(0,) * (len(edges) + 2),
        edges=tuple(edges.tolist()),
        parameter=parameter,
    )
    counts = empty.count(tensors).tolist()
    return BinnedField(
        side=side,
        tensor=name,
        measure=measure,
        counts=tuple(counts),
        edges=empty.edges,
        parameter=parameter,
    )


def _as_json(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
