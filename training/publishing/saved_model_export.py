"""Exports a trained model as a version: SavedModel, golden examples, card; proves, publishes it."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from service.repository.contract import Contract
from service.repository.golden_examples import (
    Golden,
    GoldenExample,
    askable,
    batch_of,
    examples_by_signature,
    mismatches,
    read_golden,
    row_to_json,
    write_golden,
)
from service.repository.manifest import MANIFEST
from service.repository.model_card import Card, read_card, write_card
from service.repository.model_store import Store
from service.repository.precision import Precision, precision_here
from training.array_types import Array, Predict, Tensors
from training.errors import TrainingError, UnansweredError
from training.publishing.export_precision import multiplying_in
from training.publishing.loaded_signature import signature_inputs
from training.tasks.task_interface import Case, Exportable

# Processors add floats in other orders; the tolerance allows that, but not another model's answers.
ABSOLUTE, RELATIVE = 1e-3, 1e-3
# TensorFlow's name for a place in a graph, before what it says.
_NODE = re.compile(r"\{\{.*?\}\}")


def write_saved_model(exportable: Exportable, folder: Path) -> None:
    """Write the SavedModel into ``folder``, anew; its signatures are those of the contract.

    Raises:
        OSError: the folder cannot be made.
    """
    shutil.rmtree(folder, ignore_errors=True)
    # TensorFlow would say the same by errors of its own, with a trace.
    folder.mkdir(parents=True, exist_ok=True)
    archive = keras.export.ExportArchive()
    for resource in exportable.tracked:
        archive.track(resource)
    for name, signature in exportable.contract.items():
        specs = [tf.TensorSpec(f.shape, f.dtype, name=f.name) for f in signature.inputs]
        archive.add_endpoint(name, exportable.functions[name], input_signature=specs)
    archive.write_out(folder, verbose=False)


def copy_saved_model(source: Path, folder: Path) -> None:
    """Copy a SavedModel from elsewhere as it is; a manifest of its own would no longer hold.

    Raises:
        TrainingError: a file of it cannot be read.
    """
    try:
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(MANIFEST))
    except OSError as error:
        raise TrainingError(f"{source} cannot be copied: {_reason(error)}.") from error


def open_saved_model(
    folder: Path, precision: Precision | None = None, *, place: str = ""
) -> Predict:
    """Load a version and return the function that calls its signatures.

    The function raises TrainingError where the version has no such signature, or it takes other
    inputs: the version came from elsewhere. It raises UnansweredError where the graph refuses the
    values.

    Args:
        folder: the version's folder.
        precision: what it multiplies in; ``None`` takes what its card states, where this machine
            has that, as the service does.
        place: what messages name instead of the folder.

    Raises:
        TrainingError: the folder holds no whole SavedModel.
    """
    place = place or str(folder)
    if precision is None:
        card = read_card(folder)
        precision = precision_here(card.precision) if card else Precision.FLOAT32
    try:
        loaded = tf.saved_model.load(folder)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise TrainingError(f"{place} cannot be loaded: {error}") from error

    def predict(signature: str, inputs: Tensors) -> dict[str, Array]:
        if signature not in loaded.signatures:
            raise TrainingError(f"{place} has no signature {signature!r}.")
        call = loaded.signatures[signature]
        specs = signature_inputs(call)
        if inputs.keys() != specs.keys():
            raise TrainingError(
                f"{place}: signature {signature!r} takes {', '.join(sorted(specs))}, "
                f"not {', '.join(sorted(inputs))}."
            )
        tensors = {name: tf.constant(inputs[name], specs[name].dtype) for name in inputs}
        try:
            with multiplying_in(precision):
                return {name: tensor.numpy() for name, tensor in call(**tensors).items()}
        except tf.errors.ResourceExhaustedError:
            raise  # The memory is at fault, not the graph.
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            # The second is TensorFlow's where a message repeats bytes of the values.
            raise UnansweredError(
                f"{place}: signature {signature!r} does not answer: {_last_line(error)}"
            ) from error

    return predict


def _last_line(error: tf.errors.OpError | UnicodeDecodeError) -> str:
    """Return what an operation said, without where in the graph it stands."""
    if isinstance(error, UnicodeDecodeError):
        message = error.object.decode(errors="replace")
    else:
        message = str(error.message)
    lines = [_NODE.sub("", line).strip() for line in message.splitlines()]
    told = [line for line in lines if line and not line.startswith("[[")]
    return f"{told[-1].rstrip('.') if told else type(error).__name__}."


def answer(predict: Predict, contract: Contract, cases: Sequence[Case]) -> Golden:
    """Let the exported model answer the cases, one by one.

    Raises:
        UnansweredError: its graph refuses a case; the message begins with the case's note.
    """
    examples = []
    for case in cases:
        question = GoldenExample(case.signature, case.instance, {}, case.note, case.truth)
        inputs = batch_of(contract[case.signature], [question])
        try:
            outputs = predict(case.signature, inputs)
        except UnansweredError as error:
            raise UnansweredError(f"{case.note}: {error}" if case.note else str(error)) from error
        prediction = row_to_json(outputs, 0)
        examples.append(replace(question, prediction=prediction))
    return Golden(examples, absolute=ABSOLUTE, relative=RELATIVE)


def prove(predict: Predict, folder: Path) -> None:
    """Check that the version in ``folder`` gives its golden answers.

    A signature's are asked in one batch, or one by one where its rows are not independent.

    Raises:
        TrainingError: it does not, or an answer is not a finite number.
    """
    card, golden = read_card(folder), read_golden(folder)
    assert card is not None
    assert golden is not None
    problems: list[str] = []
    for signature, every in examples_by_signature(golden, card.contract):
        for examples in askable(signature, every):
            outputs = predict(signature.name, batch_of(signature, examples))
            problems += [
                f"Signature {signature.name!r} answers {name} that is not finite."
                for name, tensor in outputs.items()
                if tensor.dtype.kind == "f" and not np.isfinite(tensor).all()
            ]
            problems += mismatches(golden, examples, outputs)
    missing = card.contract.keys() - {example.signature for example in golden.examples}
    problems += [f"No golden example calls signature {name!r}." for name in sorted(missing)]
    if problems:
        raise TrainingError(
            f"The model does not answer its golden examples as its card says: {' '.join(problems)}"
        )


def finish(folder: Path, card: Card, golden: Golden) -> None:
    """Add the card and the golden examples to the SavedModel in ``folder``."""
    write_golden(folder, golden)
    write_card(folder, card)


def publish(folder: Path, root: Path, model: str) -> int:
    """Publish the version in ``folder`` as the next of ``model`` under ``root``.

    Raises:
        TrainingError: ``root`` cannot be written.
    """

    def fill(staging: Path) -> None:
        shutil.copytree(folder, staging, dirs_exist_ok=True)

    try:
        return Store(root).publish(model, fill)
    except OSError as error:
        raise TrainingError(f"Nothing was published: {root}: {_reason(error)}.") from error


def _reason(error: OSError) -> str:
    """Return what the system said; copying a tree gathers one entry for each file."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return error.strerror or str(error)
