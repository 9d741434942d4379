"""The signature that an imported model gets: named inputs, and outputs that people can read."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from service.repository.contract import DEFAULT_SIGNATURE, Field, Shape, Signature
from service.repository.errors import RepositoryError
from training.errors import TrainingError, UsageError
from training.importing.classified_output import Classified, classified
from training.importing.description import Description, sorted_out
from training.importing.model_source import SourceModel, SourceTensor
from training.importing.sample_file import Samples, identifier
from training.importing.sample_requests import checked_value
from training.tasks.task_interface import Exportable


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """A model with the signature that it is to serve.

    Attributes:
        exportable: what is to be exported.
        classified: its outputs that hold probabilities of classes.
        is_unchanged: whether that is what its own SavedModel serves, which can be copied then.
    """

    exportable: Exportable
    classified: tuple[Classified, ...]
    is_unchanged: bool

    @property
    def signature(self) -> Signature:
        return self.exportable.contract[DEFAULT_SIGNATURE]


@dataclass(frozen=True, slots=True)
class _Input:
    """A tensor of the model, and the fields of the signature that it is made of."""

    fields: tuple[Field, ...]
    join: Callable[[Sequence[Any]], Any]


def named_model(
    source: SourceModel, description: Description, samples: Samples | None
) -> NamedModel:
    """Decide what the signature takes and gives.

    A vector input whose values have names (``--inputs``, the headings of the samples) becomes an
    input for each; a list of one value a row, [N, 1], becomes the value, [N].

    Raises:
        UsageError: a name or a number of classes does not fit the model.
        TrainingError: the model cannot be called.
    """
    description = _named_by_heading(source, description, samples)
    columns = _columns(source, description, samples)
    unchanged = (
        source.folder is not None
        and source.signature == DEFAULT_SIGNATURE
        and not (columns or description.input_names or description.output_names)
        and not (description.classes or description.logits)
        and not any("classes" in table for table in description.outputs.values())
    )
    if columns:
        inputs = [_of_columns(source.inputs[0], columns)]
    else:
        names = source_names("input", source.inputs, description.input_names, as_is=unchanged)
        inputs = [
            _of_tensor(name, tensor, flat=not unchanged)
            for name, tensor in zip(names, source.inputs, strict=True)
        ]
    fields = tuple(field for each in inputs for field in each.fields)
    if len({field.name for field in fields}) < len(fields):
        raise UsageError(_two_of_one_name(source, "input", [field.name for field in fields]))
    gives = source_names("output", source.outputs, description.output_names, as_is=unchanged)
    description = sorted_out(description, [field.name for field in fields], gives)
    takes = _described(fields, description)
    answers = [
        classified(name, tensor, description, len(gives), unchanged)
        for name, tensor in zip(gives, source.outputs, strict=True)
    ]

    def serve(*tensors: Any) -> dict[str, Any]:
        rest, joined = list(tensors), []
        for each in inputs:
            joined.append(each.join(rest[: len(each.fields)]))
            rest = rest[len(each.fields) :]
        outputs: dict[str, Any] = {}
        for answer, tensor in zip(answers, source.call(joined), strict=True):
            outputs |= answer.of(tensor)
        return outputs

    specs = _traced(source, serve, takes)
    outputs = tuple(
        known.get(name) or _output(name, spec, description)
        for known in [{f.name: f for answer in answers for f in answer.fields}]
        for name, spec in specs.items()
    )
    if len(outputs) < sum(max(1, len(answer.fields)) for answer in answers):
        raise UsageError(_two_of_one_name(source, "output", gives))
    signature = Signature(DEFAULT_SIGNATURE, takes, outputs)
    exportable = Exportable(
        functions={DEFAULT_SIGNATURE: serve},
        contract={DEFAULT_SIGNATURE: signature},
        tracked=source.tracked,
    )
    return NamedModel(
        exportable=exportable,
        classified=tuple(answer for answer in answers if answer.fields),
        is_unchanged=unchanged,
    )


def _two_of_one_name(source: SourceModel, kind: str, names: Sequence[str]) -> str:
    return f"{source.place}: two {kind}s have one name; name them by --{kind}s: {', '.join(names)}."


def source_names(
    kind: str, tensors: Sequence[SourceTensor], given: Sequence[str], *, as_is: bool = False
) -> list[str]:
    """Return a name for each tensor: one that was given, its own, or a number.

    Args:
        kind: ``input`` or ``output``.
        tensors: a model's inputs or outputs.
        given: names of their own for them, or none.
        as_is: whether their own names are kept to the letter, as in a SavedModel that is copied.

    Raises:
        UsageError: fewer or more names are given than there are tensors.
    """
    one = len(tensors) == 1
    if as_is and not given:
        return [tensor.name for tensor in tensors]
    own = [
        identifier(tensor.name) if tensor.name else (kind if one else f"{kind}_{i}")
        for i, tensor in enumerate(tensors)
    ]
    if not given:
        return own
    if len(given) != len(tensors):
        expected = f"a name for each {kind}, in this order: {', '.join(own)}"
        if one:
            values = f", or one for each value of {list(tensors[0].shape)}"
            expected = f"one name{values if kind == 'input' else ''}"
        raise UsageError(f"--{kind}s: expected {expected}; not {len(given)} ({', '.join(given)}).")
    return list(given)


def _named_by_heading(
    source: SourceModel, description: Description, samples: Samples | None
) -> Description:
    """Let the only heading of the samples name the only value that the model takes."""
    if samples is None or len(samples.names) != 1 or description.input_names:
        return description
    takes_one = len(source.inputs) == 1 and source.inputs[0].shape in ((None,), (None, 1))
    if not takes_one or source.inputs[0].name:
        return description
    return dataclasses.replace(description, input_names=(identifier(samples.names[0]),))


def _columns(
    source: SourceModel, description: Description, samples: Samples | None
) -> tuple[str, ...]:
    """Return the names of the values in a model's only vector; empty where they have none.

    Raises:
        UsageError: there are more or fewer names than values.
    """
    if len(source.inputs) != 1:
        return ()
    tensor = source.inputs[0]
    if len(tensor.shape) != 2 or tensor.shape[1] in (None, 1):
        return ()
    count = tensor.shape[1]
    own = source_names("input", source.inputs, ())[0]
    if len(description.input_names) == count:
        return description.input_names
    headings = samples.names if samples is not None else ()
    expected = description.input_names[0] if len(description.input_names) == 1 else own
    if not headings or headings == (expected,) or headings == (tensor.name,):
        return ()
    assert samples is not None
    if len(headings) != count:
        raise UsageError(
            f"{samples.name}: expected {count} columns, one for each value of the model's input, "
            f"not {len(headings)} ({', '.join(headings)})."
        )
    names = tuple(map(identifier, headings))
    if len(set(names)) != count:
        raise UsageError(f"{samples.name}: headings must differ in letters and digits.")
    return names


def _of_columns(tensor: SourceTensor, names: Sequence[str]) -> _Input:
    fields = tuple(Field(name=name, dtype=tensor.dtype, shape=(None,)) for name in names)
    return _Input(fields, lambda tensors: tf.stack(list(tensors), axis=1))


def _of_tensor(name: str, tensor: SourceTensor, *, flat: bool) -> _Input:
    if flat and tensor.shape == (None, 1):
        field = Field(name=name, dtype=tensor.dtype, shape=(None,))
        return _Input((field,), lambda tensors: tensors[0][:, tf.newaxis])
    field = Field(name=name, dtype=tensor.dtype, shape=tensor.shape)
    return _Input((field,), lambda tensors: tensors[0])


def _described(fields: Sequence[Field], description: Description) -> tuple[Field, ...]:
    """Return the inputs with what is said of them.

    Raises:
        UsageError: something is said of one that it cannot have.
    """
    place = f"{description.place}: inputs." if description.place else "inputs."
    return tuple(_with(f, description.inputs.get(f.name, {}), place) for f in fields)


def _with(field: Field, table: Mapping[str, Any], place: str) -> Field:
    try:
        # The example is checked against what is said of it.
        found = dataclasses.replace(field, **{k: v for k, v in table.items() if k != "example"})
    except RepositoryError as error:
        raise UsageError(f"{place}{field.name}: {str(error).partition(': ')[2]}") from error
    low, high = found.minimum, found.maximum
    if low is not None and high is not None and low > high:
        raise UsageError(f"{place}{field.name}: minimum {low:g} is above maximum {high:g}.")
    if "example" not in table:
        return found
    example = checked_value(found, table["example"], f"{place}{field.name}.example")
    return dataclasses.replace(found, example=example)


def _output(name: str, spec: Any, description: Description) -> Field:
    shape: Shape | None = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    field = Field(name=name, dtype=spec.dtype.name, shape=shape)
    place = f"{description.place}: " if description.place else ""
    return _with(field, description.outputs.get(name, {}), f"{place}outputs.")


def _traced(
    source: SourceModel, serve: Callable[..., Any], fields: Sequence[Field]
) -> Mapping[str, Any]:
    """Return what the function gives, by name, when it is called with any number of rows.

    Raises:
        TrainingError: it cannot be called so.
    """
    specs = [tf.TensorSpec(field.shape, field.dtype, name=field.name) for field in fields]
    try:
        outputs = tf.function(serve).get_concrete_function(*specs).structured_outputs
    except Exception as error:  # Whatever a layer raises when it is called with other shapes.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise TrainingError(
            f"{source.place} cannot be called with any number of rows: {lines[-1].rstrip('.')}."
        ) from error
    found: Mapping[str, Any] = outputs
    return found
