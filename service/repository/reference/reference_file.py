"""``assets.extra/reference.json``: how it is written and read."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.repository.contract import Contract
from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional, shown, write_object
from service.repository.reference.binned_field import INPUTS, OUTPUTS, BinnedField

REFERENCE = "assets.extra/reference.json"
_FORMAT = 1
_MOST_FIELDS = 64
# That float64 can count.
_MOST_ROWS = 2**53
_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What rows look like that a version has answered.

    Attributes:
        signature: the signature that answered them.
        rows: how many they are.
        origin: where they come from, for people: "the test set".
        held_out: whether the version did not learn from them.
        fields: what was counted.
        probability: the output that holds probabilities, calibrated; empty where none does.
        expected_accuracy: the mean of the most probable class's probability; ``None`` without.
    """

    signature: str
    rows: int
    origin: str
    held_out: bool
    fields: tuple[BinnedField, ...]
    probability: str = ""
    expected_accuracy: float | None = None

    def check(self, contract: Contract) -> None:
        """Look whether it is one of a version with this contract.

        Raises:
            RepositoryError: it is of a signature without rows, or of fields that are not there.
        """
        signature = contract.get(self.signature)
        if signature is None or not signature.batched:
            raise RepositoryError(
                f"{REFERENCE}: the version has no signature {self.signature!r} with rows."
            )
        names = {
            INPUTS: {field.name for field in signature.inputs},
            OUTPUTS: {field.name for field in signature.outputs},
        }
        needed = [(each.side, name) for each in self.fields for name in each.needs]
        if self.probability:
            needed.append((OUTPUTS, self.probability))
        for side, name in needed:
            if name not in names[side]:
                raise RepositoryError(
                    f"{REFERENCE}: {self.signature!r} has no {name!r} among its {side}."
                )


def write_reference(directory: Path, reference: Reference) -> None:
    """Write the reference into a version's folder."""
    (directory / REFERENCE).parent.mkdir(exist_ok=True)
    value: dict[str, Any] = {
        "format": _FORMAT,
        "signature": reference.signature,
        "rows": reference.rows,
        "origin": reference.origin,
        "held_out": reference.held_out,
    }
    if reference.probability:
        value["probability"] = reference.probability
        value["expected_accuracy"] = reference.expected_accuracy
    value["fields"] = [_field_to_json(field) for field in reference.fields]
    write_object(directory / REFERENCE, value)


def read_reference(directory: Path) -> Reference | None:
    """Read the reference of a version; ``None`` when it has none.

    Raises:
        RepositoryError: the file is there, and is not one of this format.
    """
    value: Any = read_optional(directory / REFERENCE)
    match value:
        case None:
            return None
        case {
            "format": 1,
            "signature": str(signature),
            "rows": int(rows),
            "origin": str(origin),
            "held_out": bool(held_out),
            "fields": [*fields],
            **rest,
        } if 0 < rows <= _MOST_ROWS and 0 < len(fields) <= _MOST_FIELDS:
            parsed = tuple(_field_from_json(index, field) for index, field in enumerate(fields))
            if len({field.name for field in parsed}) < len(parsed):
                raise RepositoryError(f"{REFERENCE}: two fields have the same name.")
            others: Any = rest
            probability, expected = others.get("probability", ""), others.get("expected_accuracy")
            is_share = expected is None or (_is_number(expected) and 0 <= expected <= 1)
            if not isinstance(probability, str) or not is_share:
                raise RepositoryError(
                    f"{REFERENCE}: probability must be an output, and expected_accuracy a number "
                    "from 0 to 1."
                )
            return Reference(
                signature=signature,
                rows=rows,
                origin=origin,
                held_out=held_out,
                fields=parsed,
                probability=probability if expected is not None else "",
                expected_accuracy=None if expected is None else float(expected),
            )
        case _:
            raise RepositoryError(f"{REFERENCE} is not a file of format {_FORMAT}.")


def _field_to_json(field: BinnedField) -> dict[str, Any]:
    value: dict[str, Any] = {
        "side": field.side,
        "tensor": field.tensor,
        "measure": field.measure,
    }
    if field.parameter:
        value["parameter"] = field.parameter
    if field.edges:
        value["edges"] = list(field.edges)
    else:
        value["categories"] = list(field.categories)
    return value | {"counts": list(field.counts)}


def _field_from_json(index: int, value: Any) -> BinnedField:
    match value:
        case {
            "side": str(side),
            "tensor": str(tensor),
            "measure": str(measure),
            "counts": [*counts],
            **rest,
        }:
            others: Any = rest
            edges, categories = others.get("edges", []), others.get("categories", [])
            parameter = others.get("parameter", 0.0)
            if (
                isinstance(edges, list)
                and isinstance(categories, list)
                and all(_is_number(edge) for edge in edges)
                and all(isinstance(each, str | int | float) for each in categories)
                and all(isinstance(each, int) and not isinstance(each, bool) for each in counts)
                and 0 < sum(counts) <= _MOST_ROWS
                and _is_number(parameter)
            ):
                return BinnedField(
                    side=side,
                    tensor=tensor,
                    measure=measure,
                    counts=tuple(counts),
                    edges=tuple(map(float, edges)),
                    categories=tuple(categories),
                    parameter=float(parameter),
                )
    raise RepositoryError(f"{REFERENCE}: fields[{index}] is not a field: {shown(value)}.")


def _is_number(value: Any) -> bool:
    # Also an int may be larger than any float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
