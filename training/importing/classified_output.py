"""Outputs that hold probabilities of classes, answered as a label with its probabilities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from service.repository.contract import Field
from training.array_types import Array
from training.errors import TrainingError, UsageError
from training.importing.description import Description
from training.importing.model_source import SourceTensor
from training.networks import output_fields

_SUM_TOLERANCE = 1e-2
_OF_CLASSES = {"classes", "logits", "description"}


@dataclass(frozen=True, slots=True)
class Classified:
    """How one output of a model is answered.

    Attributes:
        name: the output's name.
        of: its tensor to the outputs of the signature, by name.
        fields: of the signature; empty where the output is answered as it is.
        probabilities: the name of the field that must hold probabilities.
    """

    name: str
    of: Callable[[Any], Mapping[str, Any]]
    fields: tuple[Field, ...] = ()
    probabilities: str = ""


def classified(
    name: str, tensor: SourceTensor, description: Description, count: int, unchanged: bool
) -> Classified:
    """Decide how an output is answered.

    Args:
        name: its name in the signature.
        tensor: what the model gives.
        description: says which classes it has, if any.
        count: how many outputs the model has.
        unchanged: whether a list of one value stays one.

    Raises:
        UsageError: the classes do not fit the output.
    """
    table = description.outputs.get(name, {})
    place = f"{description.place}: " if description.place else ""
    labels = tuple(table.get("classes", ()))
    logits = bool(table.get("logits", description.logits))
    if description.classes and not labels:
        if count > 1:
            raise UsageError(
                f"--classes: the model has {count} outputs; say in a --config file which classes "
                f"each has, as classes = [...] under [outputs.{name}]."
            )
        labels = description.classes
    if not labels:
        if logits:
            raise UsageError(f"{place}logits needs the classes of output {name!r}.")
        return _as_it_is(name, tensor, flat=not unchanged)
    if odd := table.keys() - _OF_CLASSES:
        raise UsageError(
            f"{place}outputs.{name}.{min(odd)}: an output with classes has labels, no {min(odd)}."
        )
    prefix = "" if count == 1 else f"{name}_"
    _check_count(name, tensor, labels)
    maker = _of_many if tensor.shape[1:] == (len(labels),) else _of_two
    return maker(name, prefix, labels, logits, str(table.get("description", "")))


def _check_count(name: str, tensor: SourceTensor, labels: tuple[str, ...]) -> None:
    """Check that there are as many labels as the output has values.

    Raises:
        UsageError: there are not.
    """
    shape = tensor.shape
    if "float" not in tensor.dtype or len(shape) not in (1, 2):
        raise UsageError(
            f"--classes: output {name!r} must hold a probability for each class, [N, classes]; it "
            f"is {tensor.dtype} of shape {list(shape)}."
        )
    size = shape[1] if len(shape) == 2 else 1
    expected = 2 if size == 1 else size
    if len(labels) != expected:
        raise UsageError(
            f"--classes: expected {expected} labels, because output {name!r} has shape "
            f"{list(shape)}, not {len(labels)} ({', '.join(labels[:10])})."
        )


def check_probabilities(answer: Classified, outputs: Mapping[str, Array]) -> None:
    """Check that an output's values are probabilities of classes that exclude one another.

    Args:
        answer: says which output is looked at.
        outputs: what the exported model gave for some rows.

    Raises:
        TrainingError: they are not.
    """
    given = outputs[answer.probabilities].astype(np.float64)
    outside = given[(given < -1e-6) | (given > 1 + 1e-6)]
    if outside.size:
        raise TrainingError(
            f"Output {answer.name!r} gives {outside.flat[0]:.4g}, which is not a probability. If "
            "its last layer has no softmax or sigmoid, say --logits."
        )
    if given.ndim < 2:
        return
    sums = given.sum(axis=1)
    odd = sums[np.abs(sums - 1) > _SUM_TOLERANCE]
    if odd.size:
        raise TrainingError(
            f"Output {answer.name!r} gives probabilities whose sum is {odd[0]:.4g}, not 1. If one "
            "row can be of several classes, leave out --classes."
        )


def _as_it_is(name: str, tensor: SourceTensor, *, flat: bool) -> Classified:
    single = flat and tensor.shape == (None, 1)
    return Classified(name, lambda value: {name: value[:, 0] if single else value})


def _of_many(
    name: str, prefix: str, labels: tuple[str, ...], logits: bool, description: str
) -> Classified:
    fields = (
        output_fields.label(labels, labels[0]),
        output_fields.class_id(
            "class_id", len(labels), "Its number in the order of the probabilities.", 0
        ),
        output_fields.probability("confidence", "How probable that class is.", 0.98),
        output_fields.probabilities(labels, _listed(labels)),
    )

    def of(value: Any) -> Mapping[str, Any]:
        shares = tf.nn.softmax(value, axis=1) if logits else value
        shares = tf.cast(shares, tf.float32)
        number = tf.argmax(shares, axis=1)
        return {
            f"{prefix}label": tf.gather(tf.constant(labels), number),
            f"{prefix}class_id": number,
            f"{prefix}confidence": tf.reduce_max(shares, axis=1),
            f"{prefix}probabilities": shares,
        }

    return Classified(name, of, _prefixed(prefix, fields, description), f"{prefix}probabilities")


def _of_two(
    name: str, prefix: str, labels: tuple[str, ...], logits: bool, description: str
) -> Classified:
    fields = (
        output_fields.label(labels, labels[1]),
        output_fields.probability("probability", f"How probable {labels[1]!r} is.", 0.98),
    )

    def of(value: Any) -> Mapping[str, Any]:
        share = tf.cast(value[:, 0] if value.shape.rank == 2 else value, tf.float32)
        share = tf.sigmoid(share) if logits else share
        second = tf.cast(share >= 0.5, tf.int32)
        return {
            f"{prefix}label": tf.gather(tf.constant(labels), second),
            f"{prefix}probability": share,
        }

    return Classified(name, of, _prefixed(prefix, fields, description), f"{prefix}probability")


def _prefixed(prefix: str, fields: tuple[Field, ...], description: str) -> tuple[Field, ...]:
    label, *rest = fields
    label = replace(label, description=description or label.description)
    return tuple(replace(field, name=f"{prefix}{field.name}") for field in (label, *rest))


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) if len(labels) <= 20 else f"{len(labels)} classes"
