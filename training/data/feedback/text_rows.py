"""Texts that came back from live traffic with their classes."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from service.repository.json_strings import string_from_json
from training.array_types import Array, Ints
from training.data.dataset_types import MAX_TEXT_BYTES, AddedRows, Texts
from training.data.feedback.given_truths import GivenTruth
from training.data.feedback.row_form import Row, RowForm, UnfitTruthError, label_of, stored
from training.data.feedback.row_split import row_key
from training.data.own.text_checks import loosely


class TextRows(RowForm[Texts]):
    """Texts; a row's value is its UTF-8."""

    output = "label"

    def row(self, truth: GivenTruth, data: Texts) -> Row:
        text = string_from_json(stored(truth.inputs, "text"))
        if text is None:
            raise UnfitTruthError("text is not a string")
        text = text.strip()
        if not text:
            raise UnfitTruthError("text missing")
        if len(text) > MAX_TEXT_BYTES:
            raise UnfitTruthError(f"text has {len(text):,} bytes, more than {MAX_TEXT_BYTES:,}")
        label = label_of(truth, self.output, data.labels)
        return Row(key=_key(text), value=text, target=label)

    def keys(self, data: Texts) -> frozenset[str]:
        return frozenset(_key(text) for texts in (data.train, data.test) for text in texts)

    def learned(self, data: Texts) -> int:
        return len(data.train)

    def with_rows(self, data: Texts, rows: Sequence[Row], repeats: Ints, fingerprint: str) -> Texts:
        labels = [data.labels.index(str(row.target)) for row in rows]
        return dataclasses.replace(
            data,
            train=[*data.train, *(row.value for row in rows)],
            train_labels=np.concatenate([data.train_labels, np.array(labels, np.int64)]),
            fingerprint=fingerprint,
            added=AddedRows(repeats),
        )

    def inputs(self, rows: Sequence[Row]) -> Mapping[str, Array]:
        return {"text": np.array([row.value for row in rows], object)}


def _key(text: bytes) -> str:
    try:
        return row_key(loosely(text))
    except UnicodeDecodeError:
        return row_key(text)
