"""The reference of a version: made of rows, written, read, and counted by."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from service.repository.errors import RepositoryError
from service.repository.golden_examples import Tensors
from service.repository.reference.binned_field import INPUTS, BinnedField
from service.repository.reference.reference_file import (
    REFERENCE,
    Reference,
    read_reference,
    write_reference,
)
from service.repository.reference.reference_rows import describe_rows, probability_output

ROWS = 1_000
SIGNATURE = Signature(
    "serving_default",
    inputs=(
        Field(name="weight", dtype="float32", shape=(None,), nullable=True),
        Field(name="made_in", dtype="string", shape=(None,), choices=("here", "there")),
        Field(name="note", dtype="string", shape=(None,)),
        Field(name="picture", dtype="float32", shape=(None, 4, 4), minimum=0, maximum=255),
        Field(name="pair", dtype="float32", shape=(None, 2)),
        Field(name="file", dtype="string", shape=(None,), content_types=("image/png",)),
    ),
    outputs=(
        Field(name="label", dtype="string", shape=(None,), choices=("no", "yes")),
        Field(name="class_id", dtype="int64", shape=(None,)),
        Field(name="probability", dtype="float32", shape=(None,), minimum=0, maximum=1),
        Field(name="size_low", dtype="float32", shape=(None,)),
        Field(name="size_high", dtype="float32", shape=(None,)),
    ),
)


def strings(values: list[bytes]) -> np.ndarray:
    return np.array(values, object)


def made_rows(seed: int = 0) -> tuple[Tensors, Tensors]:
    random = np.random.default_rng(seed)
    weight = random.normal(size=ROWS).astype(np.float32)
    weight[:100] = np.nan
    probability = random.uniform(size=ROWS).astype(np.float32)
    inputs = {
        "weight": weight,
        "made_in": strings([(b"here", b"there")[i] for i in random.integers(2, size=ROWS)]),
        "note": strings([b"word " * i + b"\xc3\xa9" for i in random.integers(9, size=ROWS)]),
        "picture": random.uniform(0, 255, (ROWS, 4, 4)).astype(np.float32),
        "pair": random.normal(size=(ROWS, 2)).astype(np.float32),
        "file": strings([b"\x89PNG"] * ROWS),
    }
    outputs = {
        "label": strings([b"yes" if p > 0.5 else b"no" for p in probability]),
        "class_id": (probability > 0.5).astype(np.int64),
        "probability": probability,
        "size_low": np.zeros(ROWS, np.float32),
        "size_high": random.uniform(1, 2, ROWS).astype(np.float32),
    }
    return inputs, outputs


WEIGHT = {
    "side": "inputs",
    "tensor": "weight",
    "measure": "value",
    "edges": [0, 1],
    "counts": [0, 1, 0, 0],
}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return describe_rows(SIGNATURE, *made_rows(), origin="the test set", held_out=True)


def by_name(reference: Reference) -> dict[str, BinnedField]:
    return {field.name: field for field in reference.fields}


def test_each_field_is_measured_by_its_contract(reference: Reference) -> None:
    assert list(by_name(reference)) == [
        "inputs.weight",
        "inputs.made_in",
        "inputs.note.length",
        "inputs.note.word length",
        "inputs.note.non-ASCII",
        "inputs.picture.mean",
        "inputs.picture.contrast",
        "inputs.picture.foreground",
        "inputs.picture.detail",
        "inputs.pair.component 0",
        "inputs.pair.component 1",
        "outputs.label",
        "outputs.probability",
        "outputs.size.width",
    ]


def test_all_rows_are_counted_and_quantiles_divide_them_evenly(reference: Reference) -> None:
    for field in reference.fields:
        assert sum(field.counts) == ROWS == reference.rows
    weight = by_name(reference)["inputs.weight"]
    assert weight.counts[0] == weight.counts[-2] == 0  # below, above
    assert weight.counts[-1] == 100  # missing
    assert set(weight.counts[1:-2]) <= set(range(88, 93))


def test_it_reads_as_it_was_written_and_takes_few_kilobytes(
    reference: Reference, tmp_path: Path
) -> None:
    write_reference(tmp_path, reference)
    assert read_reference(tmp_path) == reference
    assert (tmp_path / REFERENCE).stat().st_size < 8_000
    again = read_reference(tmp_path)
    assert again is not None
    inputs, outputs = made_rows()
    for field in again.fields:
        rows = inputs if field.side == INPUTS else outputs
        assert tuple(field.count(rows)) == field.counts


def test_what_lies_outside_of_the_reference_has_bins_of_its_own(reference: Reference) -> None:
    weight, made_in = by_name(reference)["inputs.weight"], by_name(reference)["inputs.made_in"]
    numbers = np.array([-1e9, 1e9, np.nan, np.inf, weight.edges[0], weight.edges[-1]], np.float32)
    last = len(weight.counts) - 1
    assert list(weight.bins_of({"weight": numbers})) == [0, last - 1, last, last - 1, 1, last - 2]
    assert list(made_in.bins_of({"made_in": strings([b"there", b"?", b"here"])})) == [1, 2, 0]
    assert made_in.bin_names == ("here", "there", "another")
    assert len(weight.bin_names) == len(weight.counts)


def test_values_that_are_all_alike_make_one_bin() -> None:
    signature = Signature(
        "s",
        (Field(name="x", dtype="int64", shape=(None, 1)),),
        (Field(name="y", dtype="float32", shape=(None,)),),
    )
    rows = np.full((50, 1), 7)
    made = describe_rows(signature, {"x": rows}, {"y": np.zeros(50)}, origin="rows", held_out=False)
    assert made.fields[0].counts == (0, 50, 0, 0)
    assert list(made.fields[0].bins_of({"x": np.array([[6], [7], [8]])})) == [0, 1, 2]


def test_the_expected_accuracy_is_the_mean_of_the_higher_probability(reference: Reference) -> None:
    probability = made_rows()[1]["probability"].astype(np.float64)
    assert reference.probability == "probability"
    assert reference.expected_accuracy == pytest.approx(
        np.maximum(probability, 1 - probability).mean()
    )


def test_a_vector_of_probabilities_is_preferred() -> None:
    def outputs(*fields: Field) -> Signature:
        return Signature("s", (), fields)

    label = Field(name="label", dtype="string", shape=(None,), choices=("a", "b", "c"))
    one = Field(name="confidence", dtype="float32", shape=(None,), minimum=0, maximum=1)
    all_of_them = Field(name="all", dtype="float32", shape=(None, 3), minimum=0, maximum=1)
    assert probability_output(outputs(label, one, all_of_them)) == "all"
    # That of one of three classes says nothing of the highest.
    assert probability_output(outputs(label, one)) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"rows": 0},
        {"fields": []},
        {"expected_accuracy": "high"},
        {"expected_accuracy": True},
        {"expected_accuracy": 10**400},
        {"rows": 10**400},
        {"fields": [{**WEIGHT, "edges": [0, 10**400]}]},
        {"fields": [{**WEIGHT, "edges": [0, float("1e308") * 10]}]},
        {"fields": [{**WEIGHT, "parameter": 10**400}]},
        {"fields": [{**WEIGHT, "counts": [0, 0, 0, 0]}]},
        {"fields": [{**WEIGHT, "counts": [0, 10**400, 0, 0]}]},
        {"fields": [{"side": "inputs", "tensor": "x", "measure": "value", "counts": [1]}]},
        {"fields": [{"side": "in", "tensor": "x", "measure": "value", "counts": [1]}]},
        {
            "fields": [
                {
                    "side": "inputs",
                    "tensor": "x",
                    "measure": "smell",
                    "edges": [0, 1],
                    "counts": [0, 1, 0, 0],
                }
            ]
        },
        {
            "fields": [
                {
                    "side": "inputs",
                    "tensor": "x",
                    "measure": "value",
                    "edges": [1, 0],
                    "counts": [0, 1, 0, 0],
                }
            ]
        },
    ],
)
def test_another_file_is_refused_in_words(
    reference: Reference, tmp_path: Path, change: dict[str, Any]
) -> None:
    write_reference(tmp_path, reference)
    path = tmp_path / REFERENCE
    text = json.dumps(json.loads(path.read_text()) | change)
    # What Python writes as a constant, others write as a number that is too large.
    path.write_text(text.replace("Infinity", "1e999"))
    with pytest.raises(RepositoryError):
        read_reference(tmp_path)


def test_there_need_be_none(tmp_path: Path) -> None:
    assert read_reference(tmp_path) is None
