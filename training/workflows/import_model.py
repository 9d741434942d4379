"""Import a model that was trained elsewhere: from a Keras file to a published version."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from service.repository.contract import DEFAULT_SIGNATURE, Contract
from service.repository.golden_examples import (
    Golden,
    GoldenExample,
    batch_of,
    mismatches,
    row_to_json,
)
from service.repository.model_card import Card, write_card
from service.repository.model_store import check_model_name
from service.repository.object_store.origin import models_folder, place_of
from service.repository.object_store.refreshing import current_store
from service.repository.reference.reference_file import write_reference
from service.repository.row_dependence_probe import varied_rows
from training.array_types import Array, Predict
from training.console.progress import say, working
from training.errors import RefusedError, TrainingError, UnansweredError, UsageError
from training.fitting.config import default_out
from training.importing.classified_output import check_probabilities
from training.importing.description import Description, description_of
from training.importing.golden_cases import golden_cases, that_fit, to_json
from training.importing.model_source import open_source
from training.importing.named_signature import NamedModel, named_model
from training.importing.sample_file import Samples, read_samples
from training.importing.sample_requests import instances, shape_of
from training.importing.source_path import check_source, shown_name
from training.publishing import saved_model_export, version_policy
from training.publishing.contract_compatibility import broken_promises
from training.publishing.live_version import contract_of, find_live_version
from training.publishing.provenance import libraries
from training.publishing.row_independence import declare_independence
from training.publishing.sensitive_fields import mark_sensitive
from training.publishing.version_reference import answered_reference
from training.tasks.task_interface import Case, ReferenceRows

# Of rows that are made up where there are no samples.
_MADE_UP = 4
_LONGEST_EXAMPLE = 1000
# Of a vector's values, as a person would name them.
_MOST_NAMED = 50


def import_model(
    model: Any,
    name: str,
    *,
    models: Path | str | None = None,
    samples: Any = None,
    force: bool = False,
    **about: Any,
) -> Path:
    """Publish a Keras model, or a SavedModel, as the next version of ``name``.

    Args:
        model: a Keras model, the path of a ``.keras`` or ``.h5`` file, or of a SavedModel's folder.
        name: under which it is served.
        models: the folder of models; ``None`` takes ``MODELS``, or ``saved_models``.
        samples: examples that become golden ones: the path of a CSV, JSON, ``.npy`` or
            ``.npz`` file; an array of the only input's values, [N, ...]; a mapping of such arrays
            by input; or a list of rows, each a mapping.
        force: publish it though callers of the live version cannot go on with it.
        about: what is said of the model, as in a TOML file: ``title``, ``description``,
            ``classes``, ``logits``, ``input_names``, ``output_names``, ``sensitive``, and
            ``inputs`` and ``outputs``, a mapping of ``unit``, ``minimum``, ``maximum`` and so on by
            name.

    Returns:
        the folder of the published version.

    Raises:
        UsageError: an argument, the model's path or a sample is wrong; the message names it.
        RefusedError: callers of the live version cannot go on with it.
        TrainingError: the model cannot be loaded, exported or proved.
        RepositoryError: the name cannot be a model's.
    """
    description = description_of({"name": name, **about})
    if isinstance(samples, Path | str):
        description = replace(description, samples=Path(samples))
        samples = None
    read = None if samples is None else read_samples(samples)
    return publish_import(
        model, models_folder(models or default_out()), description, read, force=force
    )


def publish_import(
    source: Any,
    root: Path,
    description: Description,
    samples: Samples | None = None,
    *,
    force: bool = False,
) -> Path:
    """Publish a model with what is said of it; what is quick to check is checked first.

    Args:
        source: a Keras model, or a path.
        root: the folder of models.
        description: says its name, and all else.
        samples: examples, where they are not in a file that the description names.
        force: as for ``import_model``.

    Raises:
        TrainingError, RepositoryError: as for ``import_model``.
    """
    check_model_name(description.name)
    if isinstance(source, Path | str):
        check_source(Path(source))
    if samples is None and description.samples is not None:
        samples = read_samples(description.samples)
    _make_room(root)
    with tempfile.TemporaryDirectory(prefix="understudy-import-") as scratch:
        return _import(source, root, description, samples, Path(scratch), force)


def _import(
    source: Any,
    root: Path,
    description: Description,
    samples: Samples | None,
    scratch: Path,
    force: bool,
) -> Path:
    name = description.name
    with working(f"loading {source if isinstance(source, Path | str) else source.name}"):
        opened = open_source(source, scratch)
    live = find_live_version(root, name)
    before = contract_of(live)
    named = _marked(named_model(opened, description, samples), description, before)
    every = [] if samples is None else instances(samples, named.signature.inputs)
    cases = [] if samples is None else golden_cases(samples, every)
    if live is not None and before is not None:
        _check_callers(before, named.exportable.contract, name, live.version, force)
    folder = scratch / "version"
    with working("exporting it and trying its rows alone and together"):
        if named.is_unchanged:
            assert opened.folder is not None
            saved_model_export.copy_saved_model(opened.folder, folder)
        else:
            saved_model_export.write_saved_model(named.exportable, folder)
        predict = saved_model_export.open_saved_model(folder, place=opened.place)
        golden, contract = _tried(named, predict, cases)
    card = Card(
        name=name,
        title=description.title or name,
        task="classification" if named.classified else "regression",
        contract=contract,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        description=description.description,
        training={"arch": "imported", "imported_from": shown_name(Path(opened.place))},
        libraries=libraries(),
    )
    if golden is None:
        write_card(folder, card)
    else:
        saved_model_export.finish(folder, card, golden)
        saved_model_export.prove(predict, folder)
    if samples is not None:
        _describe(samples.name, every, predict, contract, folder)
    store = current_store(root, name)
    in_use = version_policy.in_use(store, name)
    version = saved_model_export.publish(folder, root, name)
    _tell(contract, golden, samples)
    published = root / name / str(version)
    say(f"published as {place_of(root)}/{name}/{version}")
    version_policy.after_publishing(store, name, in_use)
    return published


def _make_room(root: Path) -> None:
    """Check that a version can be published, before the model is loaded.

    Raises:
        UsageError: it cannot.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{root} cannot be a folder of models: {error.strerror}.") from error
    if not os.access(root, os.W_OK | os.X_OK):
        raise UsageError(f"{root} cannot be written to.")


def _marked(named: NamedModel, description: Description, before: Contract | None) -> NamedModel:
    """Return the model with its sensitive fields marked, as for ``mark_sensitive``."""
    contract = mark_sensitive(named.exportable.contract, description.sensitive or None, before)
    return replace(named, exportable=replace(named.exportable, contract=contract))


def _describe(
    origin: str,
    every: Sequence[Mapping[str, Any]],
    predict: Predict,
    contract: Contract,
    folder: Path,
) -> None:
    """Write a drift reference from the samples that have the first one's shape."""
    signature = contract[DEFAULT_SIGNATURE]
    first = shape_of(every[0])
    alike = [each for each in every if shape_of(each) == first]
    rows = [GoldenExample(DEFAULT_SIGNATURE, instance, {}) for instance in alike]
    # It is not known whether the model has learned from them, or is calibrated.
    given = ReferenceRows(
        inputs=batch_of(signature, rows),
        origin=origin,
        held_out=False,
        calibrated=False,
    )
    reference = answered_reference(predict, contract, given)
    if reference is not None:
        write_reference(folder, reference)


def _check_callers(old: Contract, new: Contract, name: str, live: int, force: bool) -> None:
    """Check that callers of the live version can call the new one.

    Raises:
        RefusedError: they cannot, and it is not forced.
    """
    broken = broken_promises(old, new)
    if broken and not force:
        raise RefusedError(
            f"Not published: callers of live version {live} of {name} cannot go on: "
            f"{'; '.join(broken)}. --force publishes it anyway; another --name leaves {name} as it "
            "is."
        )


def _tried(
    named: NamedModel, predict: Predict, cases: Sequence[Case]
) -> tuple[Golden | None, Contract]:
    """Let the export answer; return the golden examples and what they show of its rows.

    Raises:
        TrainingError: an output that must hold probabilities does not.
    """
    contract = _with_examples(named.exportable.contract, cases)
    signature = contract[DEFAULT_SIGNATURE]
    cases = that_fit(cases, predict, contract)
    if cases:
        golden = saved_model_export.answer(predict, contract, cases)
        for example in golden.examples:
            _check_finite(example)
            outputs = predict(DEFAULT_SIGNATURE, batch_of(signature, [example]))
            if differing := mismatches(golden, [example], outputs):
                raise TrainingError(
                    f"The model answers one row differently each time: {differing[0]} No layer of "
                    "it may be random."
                )
            _check_outputs(named, outputs)
        return golden, declare_independence(predict, contract, golden)
    rows = varied_rows(signature, _MADE_UP)
    if rows is None:
        return None, contract
    try:
        _check_outputs(named, predict(DEFAULT_SIGNATURE, rows))
    except UnansweredError as error:
        # It may take what nobody can make up; what it answers, samples have to show.
        say(f"made-up rows show nothing of it: {error}")
        return None, contract
    made_up = Golden(
        [GoldenExample(DEFAULT_SIGNATURE, _instance(rows, i), {}) for i in range(_MADE_UP)],
        absolute=saved_model_export.ABSOLUTE,
        relative=saved_model_export.RELATIVE,
    )
    tried = declare_independence(predict, contract, made_up)
    # That made-up rows are answered alike proves little; the graph decides then.
    shown = tried[DEFAULT_SIGNATURE].rows_independent is False
    return None, tried if shown else contract


def _instance(rows: Mapping[str, Array], row: int) -> dict[str, Any]:
    """Return one of the rows; arrays of numbers, which may be pictures, stay such."""
    return {
        name: tensor[row]
        if tensor.ndim > 1 and tensor.dtype.kind != "O"
        else row_to_json({name: tensor}, row)[name]
        for name, tensor in rows.items()
    }


def _check_finite(example: GoldenExample) -> None:
    """Check that JSON can hold what the model answers.

    Raises:
        TrainingError: it cannot.
    """
    for name, value in example.prediction.items():
        numbers = np.asarray(value)
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            odd = numbers[~np.isfinite(numbers)].flat[0]
            raise TrainingError(
                f"{example.note}: the model answers {name} = {odd}, which is not a finite number."
            )


def _check_outputs(named: NamedModel, outputs: Mapping[str, Any]) -> None:
    for answer in named.classified:
        check_probabilities(answer, outputs)


def _with_examples(contract: Contract, cases: Sequence[Case]) -> Contract:
    """Return the contract with the first case's values as examples, where none are given.

    A sensitive value is not shown to whoever reads the contract.
    """
    if not cases:
        return contract
    signature = contract[DEFAULT_SIGNATURE]
    first = cases[0].instance
    inputs = tuple(
        replace(field, example=to_json(first)[field.name])
        if field.example is None and not field.sensitive and _is_short(first[field.name])
        else field
        for field in signature.inputs
    )
    return {DEFAULT_SIGNATURE: replace(signature, inputs=inputs)}


def _is_short(value: Any) -> bool:
    """Whether a value is worth showing in every description of the API; a picture's is not."""
    if isinstance(value, np.ndarray) and value.size > _LONGEST_EXAMPLE:
        return False  # Of such an array ``repr`` shows a part.
    return len(repr(value)) <= _LONGEST_EXAMPLE


def _tell(contract: Contract, golden: Golden | None, samples: Samples | None) -> None:
    signature = contract[DEFAULT_SIGNATURE]
    takes, gives = (
        ", ".join(field.name for field in fields)
        for fields in (signature.inputs, signature.outputs)
    )
    say(f"takes {takes}; gives {gives}")
    shape = (signature.inputs[0].shape or ()) if signature.inputs else ()
    if len(signature.inputs) == 1 and len(shape) == 2 and 1 < (shape[1] or 0) <= _MOST_NAMED:
        say(f"to name the {shape[1]} values of {takes}, say --inputs a,b,... or give samples")
    if samples is None:
        say("no golden examples: --samples takes a CSV, JSON, .npy or .npz file of them")
    elif golden is None:
        say("no golden examples: a sample with its answer is larger than a file of them may be")
    else:
        count = len(golden.examples)
        rows = "; its rows are independent" if signature.rows_independent else ""
        say(f"{count} golden {'example' if count == 1 else 'examples'} from {samples.name}{rows}")
