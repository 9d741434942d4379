"""Golden examples: a few real requests of a version, with the answers that it must give.

They are the proof that a version computes here what it computed where it was trained.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.atomic_files import write_atomically
from service.repository.contract import Contract, Field, Signature
from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional
from service.repository.json_strings import string_from_json, string_to_json

GOLDEN = "assets.extra/golden.json"
_FORMAT = 1

Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class GoldenExample:
    """One request and its answer.

    Attributes:
        signature: the signature that is called.
        instance: each input's value for one row, as JSON; bytes are ``{"b64": "..."}``.
        prediction: each output's value for that row, likewise.
        note: why the example is here.
        truth: what the outputs should be, as far as it is known; a version can be wrong.
    """

    signature: str
    instance: Mapping[str, Any]
    prediction: Mapping[str, Any]
    note: str = ""
    truth: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden examples of a version and how closely its numbers must agree.

    Numbers agree when ``|got - want| <= absolute + relative * |want|``, as in
    ``numpy.isclose``; strings must be equal.
    """

    examples: Sequence[GoldenExample]
    absolute: float = 1e-4
    relative: float = 1e-3


def write_golden(directory: Path, golden: Golden) -> None:
    """Write the golden examples into a version's folder, each on a line of its own.

    Raises:
        OSError: the file cannot be written.
        ValueError: an example holds a NaN or an infinity, which JSON does not have.
    """
    (directory / GOLDEN).parent.mkdir(exist_ok=True)
    tolerance = {"absolute": golden.absolute, "relative": golden.relative}
    head = json.dumps({"format": _FORMAT, "tolerance": tolerance}, allow_nan=False)
    examples = ",\n".join(map(example_text, golden.examples))
    text = f'{head[:-1]}, "examples": [\n{examples}\n]}}\n'
    write_atomically(directory / GOLDEN, text.encode(), durable=True)


def example_text(example: GoldenExample) -> str:
    """Return the JSON of an example.

    Raises:
        ValueError: it holds a NaN or an infinity, which JSON does not have.
    """
    value = {
        "note": example.note,
        "signature": example.signature,
        "instance": dict(example.instance),
        "prediction": dict(example.prediction),
        **({"truth": dict(example.truth)} if example.truth else {}),
    }
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read_golden(directory: Path) -> Golden | None:
    """Read the golden examples of a version; ``None`` when it has none.

    Raises:
        RepositoryError: the file is there, and is not one of this format.
    """
    match read_optional(directory / GOLDEN):
        case None:
            return None
        case {
            "format": 1,
            "tolerance": {
                "absolute": int() | float() as absolute,
                "relative": int() | float() as relative,
            },
            "examples": [*examples],
        }:
            if not examples:
                raise RepositoryError(f"{GOLDEN} holds no examples.")
            parsed = [_example_from_json(i, example) for i, example in enumerate(examples)]
            return Golden(parsed, absolute=absolute, relative=relative)
        case _:
            raise RepositoryError(f"{GOLDEN} is not a file of format {_FORMAT}.")


def examples_to_show(golden: Golden | None, contract: Contract) -> list[GoldenExample]:
    """Return the examples that a service shows to whoever asks.

    Of a signature with a sensitive field there are none: they are rows of somebody's data.
    """
    return [
        example
        for example in (golden.examples if golden else ())
        if (signature := contract.get(example.signature)) is not None
        and not any(field.sensitive for field in (*signature.inputs, *signature.outputs))
    ]


def batch_of(signature: Signature, examples: Sequence[GoldenExample]) -> Tensors:
    """Return the tensors that ask for all ``examples`` at once, one row each.

    Raises:
        RepositoryError: an example does not fit the signature.
    """
    tensors: Tensors = {}
    for field in signature.inputs:
        if field.default is not None and not any(field.name in e.instance for e in examples):
            is_row = field.default_is_row
            tensors[field.name] = (
                np.repeat(field.default, len(examples), axis=0) if is_row else field.default
            )
            continue
        try:
            values = [_value_from_json(field, example.instance[field.name]) for example in examples]
            tensors[field.name] = np.array(values, dtype=field.numpy_type)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RepositoryError(
                f"{GOLDEN}: an example of signature {signature.name!r} has no valid "
                f"{field.name!r}: {error}."
            ) from error
    return tensors


def askable(
    signature: Signature, examples: Sequence[GoldenExample]
) -> list[Sequence[GoldenExample]]:
    """Group examples of a signature by what may be asked at once, as ``batch_of`` makes it.

    Where rows are not known to be independent, each example was answered, and is asked, alone.
    """
    if signature.rows_independent:
        return [examples]
    return [[example] for example in examples]


def mismatches(
    golden: Golden, examples: Sequence[GoldenExample], outputs: Mapping[str, npt.NDArray[Any]]
) -> list[str]:
    """Say, a sentence each, where ``outputs`` (one row an example) are not the golden answers."""
    problems = []
    for row, example in enumerate(examples):
        for name, want in example.prediction.items():
            got = _row_of(outputs[name], row) if name in outputs else None
            if not agree(want, got, golden):
                problems.append(
                    f"Golden example {row} ({example.note or example.signature}) answers "
                    f"{name} = {_short(got)}, expected {_short(want)}."
                )
    return problems


def agree(want: Any, got: Any, golden: Golden) -> bool:
    """Whether an output's value, as JSON or bytes, is what a golden example wants.

    Args:
        want: the example's.
        got: the answer's.
        golden: says how closely numbers must agree.
    """
    if isinstance(want, list):
        if not isinstance(got, list) or len(want) != len(got):
            return False
        wanted, given = _numbers(want), _numbers(got)
        if wanted is not None and given is not None:
            return wanted.shape == given.shape and _are_close(given, wanted, golden)
        return all(agree(w, g, golden) for w, g in zip(want, got, strict=True))
    if isinstance(got, bytes):
        return got == string_from_json(want)
    if isinstance(want, int | float) and isinstance(got, int | float):
        return _are_close(got, want, golden)
    return bool(want == got)


def _are_close(got: Any, want: Any, golden: Golden) -> bool:
    return bool(np.isclose(got, want, rtol=golden.relative, atol=golden.absolute).all())


def _numbers(value: list[Any]) -> npt.NDArray[Any] | None:
    """Return a list of numbers, or of such lists, as an array: a picture has a million.

    ``None`` stands for what is not that.
    """
    first: Any = value
    while isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, bool) or not isinstance(first, int | float):
        return None
    try:
        array = np.array(value)
    except ValueError:  # Its lists are of different lengths.
        return None
    return array if array.dtype.kind in "iuf" else None


def row_to_json(outputs: Mapping[str, npt.NDArray[Any]], row: int) -> dict[str, Any]:
    """Return one row of ``outputs`` as the JSON that a golden example holds."""
    return {name: _as_json(_row_of(tensor, row)) for name, tensor in outputs.items()}


def examples_by_signature(
    golden: Golden, contract: Contract
) -> list[tuple[Signature, list[GoldenExample]]]:
    """Group the examples by the signature that they call.

    Raises:
        RepositoryError: an example calls a signature that the contract does not have.
    """
    groups: dict[str, list[GoldenExample]] = {}
    for example in golden.examples:
        if example.signature not in contract:
            raise RepositoryError(
                f"{GOLDEN}: an example calls signature {example.signature!r}, "
                f"which is not one of {', '.join(contract)}."
            )
        groups.setdefault(example.signature, []).append(example)
    return [(contract[name], examples) for name, examples in groups.items()]


def _example_from_json(index: int, value: Any) -> GoldenExample:
    match value:
        case {
            "signature": str(signature),
            "instance": dict(instance),
            "prediction": dict(prediction),
            "note": str(note),
            **rest,
        } if isinstance(truth := rest.get("truth", {}), dict):
            return GoldenExample(signature, instance, prediction, note, truth)
        case _:
            raise RepositoryError(
                f"{GOLDEN}: examples[{index}] needs note, signature, instance and prediction; "
                "truth, where it is there, must be an object."
            )


def _value_from_json(field: Field, value: Any) -> Any:
    if field.dtype == "string":
        if isinstance(value, list):
            return [_value_from_json(field, item) for item in value]
        string = string_from_json(value)
        if string is None:
            raise TypeError(f"{_short(value)} is not a string")
        return string
    if value is None and field.nullable:
        return math.nan
    return value


def _row_of(tensor: npt.NDArray[Any], row: int) -> Any:
    """Return one row of an output; of a single value, that value."""
    if not tensor.ndim:
        return tensor.item()
    # A row of objects is one itself where it has one dimension.
    return tensor[row : row + 1].tolist()[0]


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return string_to_json(value)
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
