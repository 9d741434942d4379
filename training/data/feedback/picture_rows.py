"""Pictures that came back from live traffic with their classes."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from service.repository.contract import Field
from service.repository.json_strings import string_from_json
from training.array_types import Array, Ints
from training.data.dataset_types import AddedRows, Images
from training.data.feedback.given_truths import GivenTruth
from training.data.feedback.row_form import Row, RowForm, UnfitTruthError, label_of, stored
from training.data.feedback.row_split import row_key
from training.data.own.image_folder import picture_of

_BRIGHTEST = 255


class PictureRows(RowForm[Images]):
    """Pictures; a row's value is its grey values, uint8 [height, width].

    Args:
        output: the output that truths are about.
        encoded: the input that takes picture files; ``None`` where there is none.
        prepare: as ``image_folder.read`` takes it; ``None`` where there is no such input.
    """

    def __init__(
        self,
        output: str = "label",
        encoded: Field | None = None,
        prepare: Callable[[Any], Any] | None = None,
    ) -> None:
        self.output = output
        self._encoded = encoded
        self._prepare = prepare

    def row(self, truth: GivenTruth, data: Images) -> Row:
        if self._encoded is not None and self._encoded.name in truth.inputs:
            picture = self._from_file(truth.inputs[self._encoded.name])
        else:
            picture = _from_numbers(stored(truth.inputs, "image"), data.train.shape[1:])
        label = label_of(truth, self.output, data.labels)
        return Row(key=row_key(picture.tobytes()), value=picture, target=label)

    def keys(self, data: Images) -> frozenset[str]:
        pictures = (data.train, data.test)
        return frozenset(row_key(each.tobytes()) for part in pictures for each in part)

    def learned(self, data: Images) -> int:
        return len(data.train)

    def with_rows(
        self, data: Images, rows: Sequence[Row], repeats: Ints, fingerprint: str
    ) -> Images:
        labels = [data.labels.index(str(row.target)) for row in rows]
        pictures = np.array([row.value for row in rows], np.uint8)
        return dataclasses.replace(
            data,
            train=np.concatenate([data.train, pictures.reshape(-1, *data.train.shape[1:])]),
            train_labels=np.concatenate([data.train_labels, np.array(labels, np.int64)]),
            fingerprint=fingerprint,
            added=AddedRows(repeats),
        )

    def inputs(self, rows: Sequence[Row]) -> Mapping[str, Array]:
        return {"image": np.array([row.value for row in rows], np.float32)}

    def _from_file(self, value: Any) -> Array:
        assert self._encoded is not None
        assert self._prepare is not None
        encoded = string_from_json(value)
        if encoded is None:
            raise UnfitTruthError(f"{self._encoded.name} is not a file in base64")
        picture = picture_of(encoded, self._encoded, self._prepare)
        if isinstance(picture, str):
            raise UnfitTruthError(f"{self._encoded.name} {picture}")
        return picture


def _from_numbers(value: Any, shape: tuple[int, ...]) -> Array:
    try:
        picture = np.array(value, np.float64)
    except (ValueError, TypeError):
        picture = np.array(np.nan)
    if picture.shape != shape or not ((picture >= 0) & (picture <= _BRIGHTEST)).all():
        expected = " x ".join(map(str, shape))
        raise UnfitTruthError(f"image must be {expected} numbers from 0 to {_BRIGHTEST}")
    return np.rint(picture).astype(np.uint8)
