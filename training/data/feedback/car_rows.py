"""Cars that came back from live traffic with their consumption."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from training.array_types import Array, Ints
from training.data.auto_mpg import CAR_NUMBERS
from training.data.dataset_types import AddedRows, Table
from training.data.feedback.given_truths import GivenTruth
from training.data.feedback.row_form import Row, RowForm, UnfitTruthError, stored
from training.data.feedback.row_split import row_key
from training.data.own.car_table import car_number

_NAME = "a car"


class CarRows(RowForm[Table]):
    """Cars; a row's value is its numbers in the order of ``CAR_NUMBERS``, and its origin."""

    output = "mpg"
    has_validation = False

    def row(self, truth: GivenTruth, data: Table) -> Row:
        numbers = [_number(name, stored(truth.inputs, name)) for name in CAR_NUMBERS]
        origin = stored(truth.inputs, "origin")
        if origin not in data.origins:
            raise UnfitTruthError(f"origin is {origin!r:.60}, not one of {', '.join(data.origins)}")
        mpg = _number(self.output, stored(truth.truth, self.output))
        return Row(key=_key(numbers, origin), value=(numbers, origin), target=float(mpg))

    def keys(self, data: Table) -> frozenset[str]:
        columns = [data.numbers[name] for name in CAR_NUMBERS]
        return frozenset(
            _key(numbers, str(origin))
            for *numbers, origin in zip(*columns, data.origin, strict=True)
        )

    def learned(self, data: Table) -> int:
        return len(data.mpg)

    def with_rows(self, data: Table, rows: Sequence[Row], repeats: Ints, fingerprint: str) -> Table:
        added = self.inputs(rows)
        return dataclasses.replace(
            data,
            numbers={
                name: np.concatenate([data.numbers[name], added[name]]) for name in CAR_NUMBERS
            },
            origin=np.concatenate([data.origin, added["origin"].astype(np.str_)]),
            mpg=np.concatenate([data.mpg, np.array([row.target for row in rows], np.float32)]),
            names=np.concatenate([data.names, np.full(len(rows), _NAME)]),
            fingerprint=fingerprint,
            added=AddedRows(repeats),
        )

    def inputs(self, rows: Sequence[Row]) -> Mapping[str, Array]:
        numbers = np.array([row.value[0] for row in rows], np.float32)
        numbers = numbers.reshape(len(rows), len(CAR_NUMBERS))
        origins = np.array([row.value[1] for row in rows], object)
        return {**dict(zip(CAR_NUMBERS, numbers.T.copy(), strict=True)), "origin": origins}


def _number(column: str, value: object) -> np.float32:
    try:
        return np.float32(car_number(column, "" if value is None else str(value)))
    except ValueError as error:
        raise UnfitTruthError(str(error)) from error


def _key(numbers: Sequence[np.float32], origin: str) -> str:
    shown = ["?" if math.isnan(number) else repr(float(number)) for number in numbers]
    return row_key("|".join([*shown, origin]).encode())
