"""Opens a model that was trained elsewhere, whatever it is kept in."""

import functools
import re
import zipfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from service.repository.contract import DEFAULT_SIGNATURE, NUMPY_TYPES, Shape
from training.errors import TrainingError, UsageError
from training.importing.source_path import check_source
from training.publishing.loaded_signature import signature_inputs

_ELSEWHERE = (
    'export it where it was made, by model.export("folder", format="tf_saved_model"), and import '
    "that folder"
)
_NOT_DENSE = "sparse or ragged; only dense tensors can be served."
# Keras' names for what nobody has named: the class's own in snake case, and a counter.
_AUTOMATIC = re.compile(r"(input_layer|keras_tensor|output|inputs|input|args)(_\d+)?")


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """One input or output of a model.

    Attributes:
        name: its name; empty where only a library has named it.
        dtype: TensorFlow's name of its dtype.
        shape: its shape, batch dimension included.
    """

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A model as it was found.

    Attributes:
        place: where, for messages.
        inputs: what it takes, in its order.
        outputs: what it gives, likewise.
        call: TensorFlow's tensors of the inputs to those of the outputs.
        tracked: what holds its variables.
        folder: the SavedModel's folder; ``None`` for a Keras model.
        signature: the name of the SavedModel's signature.
    """

    place: str
    inputs: tuple[SourceTensor, ...]
    outputs: tuple[SourceTensor, ...]
    call: Callable[[Sequence[Any]], Sequence[Any]]
    tracked: tuple[Any, ...]
    folder: Path | None = None
    signature: str = DEFAULT_SIGNATURE


def open_source(source: Any, scratch: Path) -> SourceModel:
    """Open a Keras model.

    Args:
        source: the model itself, the path of its file, or that of a SavedModel's folder.
        scratch: an empty folder, which must stay for as long as the model is used.

    Raises:
        UsageError: the path holds no model.
        TrainingError: the model cannot be loaded or called; the message says what to do.
    """
    if isinstance(source, keras.Model):
        return _from_keras(source, f"The model {source.name!r}", scratch)
    path = Path(source)
    check_source(path)
    if path.is_dir():
        return _from_saved_model(path, str(path))
    return _from_keras(_load_keras(path), str(path), scratch)


def _load_keras(path: Path) -> Any:
    if path.name.lower().endswith(".keras") and not zipfile.is_zipfile(path):
        raise UsageError(
            f"{path} is not a Keras file: a .keras file is a zip archive, this is not."
        )
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises anything, from anywhere in a layer's code.
        raise TrainingError(f"{path} cannot be loaded: {_why_not_loaded(error)}.") from error


def _why_not_loaded(error: BaseException) -> str:
    message = str(error)
    if found := re.search(r"Could not locate (?:class|function) '([^']+)'", message):
        return f"its layer {found[1]} is code that the file does not hold; {_ELSEWHERE}"
    if found := re.search(r"Unknown (?:layer|\w+): '?([\w>]+)", message):
        return f"its layer {found[1]} is code that the file does not hold; {_ELSEWHERE}"
    if "Lambda" in message or "lambda" in message:
        return (
            "it has a Lambda layer, whose code could do anything and so is not run from a file; "
            f"{_ELSEWHERE}"
        )
    if "No model config found" in message:
        return "it holds weights without a model; save all of it, by model.save"
    if "config.json" in message or "file signature not found" in message:
        return "it is not a Keras file, or not a whole one"
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    # Keras puts the reason, in bold, below a line that names only the layer's method.
    plain = re.sub(r"\x1b\[\d*m", "", str(error))
    lines = [
        line
        for line in plain.splitlines()
        if line.strip() and not line.startswith("Exception encountered when calling")
    ]
    line = (lines or [type(error).__name__])[0].strip().rstrip(".:")
    return line if len(line) <= 200 else f"{line[:197]}..."


def _from_keras(model: Any, place: str, scratch: Path) -> SourceModel:
    """Describe a Keras model by its symbolic inputs and outputs.

    Raises:
        TrainingError: it has none, or one of them cannot be a signature's; or a weight is NaN.
    """
    _check_weights(model, place)
    try:
        takes, gives = model.inputs, model.outputs
    except (AttributeError, ValueError):
        takes, gives = None, None
    if not takes or not gives:
        return _from_subclass(model, place, scratch)
    sequential = isinstance(model, keras.Sequential)
    # Sequential models are called with the tensor itself.
    structure = takes[0] if sequential else model.input
    inputs = tuple(
        _tensor(
            place,
            "input",
            _of_path(path) or tensor.name,
            tensor,
            is_dense=_is_dense(tensor),
            remedy=_with_free_rows(tensor) if sequential else "",
        )
        for path, tensor in keras.tree.flatten_with_path(structure)
    )

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        packed = keras.tree.pack_sequence_as(structure, list(tensors))
        return list(keras.tree.flatten(model(packed, training=False)))

    named = gives[0] if sequential else model.output
    outputs = tuple(
        _tensor(place, "output", _of_path(path) or _layer_name(tensor), tensor, is_dense=is_dense)
        for (path, tensor), is_dense in zip(
            keras.tree.flatten_with_path(named), _gives_dense(place, call, inputs), strict=True
        )
    )
    return SourceModel(place, inputs, outputs, call, (model,))


def _with_free_rows(tensor: Any) -> str:
    """Return how to free the rows of a sequential model.

    One that does not begin with ``keras.Input`` takes as many as it was first called with.
    """
    begin = f"keras.Input({tuple(tensor.shape[1:])}, dtype={str(tensor.dtype)!r})"
    return f": keras.Sequential([{begin}, *model.layers]) has that"


def _check_weights(model: Any, place: str) -> None:
    """Check that a model can answer with numbers; made-up rows may be at fault where it does not.

    Raises:
        TrainingError: one of its weights is NaN, as after a training that has diverged.
    """
    for weight in model.weights:
        if not keras.backend.is_float_dtype(weight.dtype):
            continue
        if np.isnan(keras.ops.convert_to_numpy(weight).astype(np.float32)).any():
            raise TrainingError(f"{place}: {weight.path} holds NaN; its training has diverged.")


def _is_dense(tensor: Any) -> bool:
    return not getattr(tensor, "sparse", False) and not getattr(tensor, "ragged", False)


def _gives_dense(
    place: str, call: Callable[[Sequence[Any]], Sequence[Any]], inputs: Sequence[SourceTensor]
) -> list[bool]:
    """Return which of its outputs a model gives as dense tensors.

    What Keras says of symbolic outputs is wrong in both directions (3.15): the product of a tensor
    and a number is said to be sparse, and the sparse answer of a lookup layer to be dense.

    Raises:
        TrainingError: the model cannot be called.
    """
    dense: list[bool] = []

    def note(*tensors: Any) -> None:
        dense.extend(isinstance(each, tf.Tensor) for each in call(tensors))

    specs = [tf.TensorSpec(each.shape, each.dtype) for each in inputs]
    try:
        tf.function(note, autograph=False).get_concrete_function(*specs)
    except Exception as error:  # Keras raises anything, from anywhere in a layer's code.
        raise TrainingError(f"{place} cannot be called: {_first_line(error)}.") from error
    return dense


def _from_subclass(model: Any, place: str, scratch: Path) -> SourceModel:
    """Describe a model whose inputs only its own code knows, by what Keras exports of it.

    Raises:
        TrainingError: Keras cannot export it: it was never called, say.
    """
    folder = scratch / "exported"
    try:
        _export_for_inference(model, scratch / "as_called", folder)
    except Exception as error:  # Keras raises anything, from anywhere in a layer's code.
        raise TrainingError(
            f"{place} does not say what it takes: {_first_line(error)}. Call it once, or export "
            "it yourself and import that folder."
        ) from error
    return _from_saved_model(folder, place)


def _export_for_inference(model: Any, as_called: Path, folder: Path) -> None:
    """Export a model as it answers, not as it trains.

    ``model.export`` leaves that to the model, and Keras trains (3.15) where a layer such as
    ``Resizing`` comes first: its default is passed on to what comes after it, so ``Dropout`` drops
    and ``BatchNormalization`` looks at the batch. What the model takes, only that export says.

    Args:
        model: the model, which was called before.
        as_called: a folder that is not there yet, for Keras' own export.
        folder: one for the right export.
    """
    model.export(as_called, format="tf_saved_model", verbose=False)
    (function,) = tf.saved_model.load(as_called).serve.concrete_functions
    takes, _ = function.structured_input_signature
    # Without names they get those that Keras' own export has.
    takes = tf.nest.map_structure(lambda spec: tf.TensorSpec(spec.shape, spec.dtype), takes)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", functools.partial(model, training=False), input_signature=takes)
    archive.write_out(folder, verbose=False)


def _of_path(path: Sequence[Any]) -> str:
    """Return the name of a tensor among dictionaries; empty in lists, where there is none."""
    return "_".join(map(str, path)) if any(isinstance(key, str) for key in path) else ""


def _layer_name(tensor: Any) -> str:
    """Return the name of the layer that a tensor comes from; empty where nobody gave it one."""
    layer = tensor._keras_history.operation
    automatic = re.fullmatch(rf"{_snake_case(type(layer).__name__)}(_\d+)?", layer.name)
    return "" if automatic else str(layer.name)


def _snake_case(name: str) -> str:
    """Return a class's name as Keras turns it into a layer's."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _tensor(
    place: str, kind: str, name: str, tensor: Any, *, is_dense: bool, remedy: str = ""
) -> SourceTensor:
    """Describe a symbolic tensor.

    Args:
        place: the model, for messages.
        kind: ``input`` or ``output``.
        name: its name; empty where it has none.
        tensor: Keras' symbolic tensor.
        is_dense: whether it is neither sparse nor ragged.
        remedy: what to do where it takes a fixed number of rows.

    Raises:
        TrainingError: no request could hold it, or it has no rows.
    """
    name = "" if _AUTOMATIC.fullmatch(name) else name
    shown = f"{place}: {kind} {name!r}" if name else f"{place}: an {kind}"
    dtype = tf.as_dtype(tensor.dtype).name
    if not is_dense:
        raise TrainingError(f"{shown} is {_NOT_DENSE}")
    if dtype not in NUMPY_TYPES:
        raise TrainingError(
            f"{shown} is of dtype {dtype}; what can be served is {', '.join(NUMPY_TYPES)}."
        )
    shape = tuple(None if size is None else int(size) for size in tensor.shape)
    if kind == "input":
        _check_not_empty(shown, shape)
    if kind == "input" and (not shape or shape[0] is not None):
        raise TrainingError(
            f"{shown} is of shape {list(shape)}; its first dimension must be free (None), for any "
            f"number of rows{remedy}."
        )
    return SourceTensor(name, dtype, shape)


def _from_saved_model(folder: Path, place: str) -> SourceModel:
    """Describe the default signature of a SavedModel, or the only one that it has.

    Raises:
        TrainingError: it cannot be loaded, or has no such signature.
    """
    try:
        loaded = tf.saved_model.load(folder)
    except Exception as error:  # TensorFlow raises anything for files that are none of its own.
        raise TrainingError(f"{place} cannot be loaded: {_first_line(error)}.") from error
    signatures = loaded.signatures
    names = sorted(signatures)
    name = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in signatures else next(iter(names), "")
    if not names or (name != DEFAULT_SIGNATURE and len(names) > 1):
        raise TrainingError(
            f"{place} has no signature {DEFAULT_SIGNATURE!r}: it has {', '.join(names) or 'none'}."
        )
    function = signatures[name]
    specs = signature_inputs(function)
    takes = _exported_order(loaded, specs) or sorted(specs, key=_with_numbers)
    gives = sorted(function.structured_outputs, key=_with_numbers)
    inputs = tuple(_spec(place, "input", key, specs[key]) for key in takes)
    outputs = tuple(_spec(place, "output", key, function.structured_outputs[key]) for key in gives)

    def call(tensors: Sequence[Any]) -> Sequence[Any]:
        answers = function(**dict(zip(takes, tensors, strict=True)))
        return [answers[key] for key in gives]

    return SourceModel(place, inputs, outputs, call, (loaded,), folder, name)


def _exported_order(loaded: Any, names: Collection[str]) -> list[str]:
    """Return a signature's inputs in their model's order; empty where the SavedModel lacks it.

    A signature itself has no order. Keras exports its function as well, as ``serve``, which takes
    the tensors as the model does.
    """
    functions = getattr(getattr(loaded, "serve", None), "concrete_functions", ())
    for function in functions:
        specs = tf.nest.flatten(function.structured_input_signature)
        found = [spec.name for spec in specs if isinstance(spec, tf.TensorSpec)]
        if sorted(map(str, found)) == sorted(names):
            return found
    return []


def _with_numbers(name: str) -> list[str | int]:
    """Return what brings names into an order in which output_10 comes after output_9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


def _spec(place: str, kind: str, name: str, spec: Any) -> SourceTensor:
    if not isinstance(spec, tf.TensorSpec | tf.Tensor):
        raise TrainingError(f"{place}: {kind} {name!r} is {_NOT_DENSE}")
    if spec.dtype.name not in NUMPY_TYPES:
        raise TrainingError(
            f"{place}: {kind} {name!r} is of dtype {spec.dtype.name}; what can be served is "
            f"{', '.join(NUMPY_TYPES)}."
        )
    if spec.shape.rank is None:
        raise TrainingError(
            f"{place}: {kind} {name!r} may have any number of dimensions; only a fixed number of "
            "them can be imported. Copy the folder into the folder of models instead."
        )
    shape = tuple(spec.shape.as_list())
    if kind == "input":
        _check_not_empty(f"{place}: input {name!r}", shape)
    return SourceTensor(name, spec.dtype.name, shape)


def _check_not_empty(shown: str, shape: Shape) -> None:
    """Check that an input holds values: kernels of TensorFlow abort the process over none.

    Raises:
        TrainingError: one of its dimensions is 0.
    """
    if 0 in shape:
        raise TrainingError(
            f"{shown} is of shape {list(shape)}; each dimension must be 1 or more, or free (None)."
        )
