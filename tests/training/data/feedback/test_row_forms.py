"""Truths of each kind are prepared as the data of that kind is."""

import base64
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.data.feedback.test_merging import truth
from training import tasks
from training.data.auto_mpg import CAR_NUMBERS, ORIGINS
from training.data.dataset_types import Images, Table
from training.data.feedback.car_rows import CarRows
from training.data.feedback.given_truths import Feedback, GivenTruth, read_feedback, write_feedback
from training.data.feedback.row_form import RowForm, UnfitTruthError
from training.data.splits import stratified, stratified_before
from training.errors import TrainingError

CAR = {
    "cylinders": 4,
    "displacement": 97.1,
    "horsepower": None,
    "weight": 2130,
    "acceleration": 14.5,
    "model_year": 70,
    "origin": "japan",
}
CARS = Table(
    numbers={name: np.array([3.5, 97.1], np.float32) for name in CAR_NUMBERS},
    origin=np.array(["usa", "japan"]),
    origins=ORIGINS,
    mpg=np.array([20, 30], np.float32),
    names=np.array(["a", "b"]),
    fingerprint="cars",
)
PICTURES = Images(
    train=np.zeros((2, 28, 28), np.uint8),
    train_labels=np.array([0, 1]),
    test=np.ones((1, 28, 28), np.uint8),
    test_labels=np.array([1]),
    labels=tuple("0123456789"),
    fingerprint="pictures",
)


def car(mpg: Any = 26.5, **changes: Any) -> GivenTruth:
    return replace(truth(), inputs={**CAR, **changes}, truth={"mpg": mpg})


def test_a_car_with_unknown_horsepower_follows_the_cars() -> None:
    form = CarRows()
    row = form.row(car(), CARS)
    assert row.target == 26.5
    data = form.with_rows(CARS, [row], np.array([2]), "new")
    assert data.mpg.tolist() == [20, 30, 26.5]
    assert math.isnan(data.numbers["horsepower"][-1])
    assert data.numbers["displacement"][-1] == np.float32(97.1)
    assert data.origin.tolist() == ["usa", "japan", "japan"]
    assert row.key in form.keys(data)
    assert row.key not in form.keys(CARS)
    asked = form.inputs([row])
    assert [asked[name].dtype for name in CAR_NUMBERS] == [np.float32] * 6
    assert asked["origin"].tolist() == ["japan"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (car(origin="mars"), "origin is 'mars', not one of usa, europe, japan"),
        (car(weight=None), "weight missing"),
        (car(weight=-1), "weight must be a number above 0, not '-1'"),
        (car(mpg=0), "mpg must be a number above 0, not '0'"),
        (replace(car(), truth={"mpg_low": 3}), "mpg missing; fields marked"),
    ],
)
def test_what_is_no_car(given: GivenTruth, why: str) -> None:
    with pytest.raises(UnfitTruthError, match=why):
        CarRows().row(given, CARS)


def pictured(**inputs: Any) -> GivenTruth:
    return replace(truth(), inputs=inputs, truth={"label": "7"})


def clothing() -> RowForm[Images]:
    form = tasks.get("clothing").feedback_rows
    assert form is not None
    return form


def test_a_picture_of_numbers_and_its_file_are_the_same_row() -> None:
    numbers = np.zeros((28, 28), np.uint8)
    numbers[4:24, 6:22] = 255
    png = base64.b64encode(tf.io.encode_png(numbers[:, :, None]).numpy()).decode()
    by_numbers = clothing().row(pictured(image=numbers.tolist()), PICTURES)
    by_file = clothing().row(pictured(image_bytes={"b64": png}), PICTURES)
    assert by_numbers.value.tolist() == numbers.tolist()
    assert by_file.value.shape == (28, 28)
    # What it shows is bright on black in both.
    assert (by_file.value[0, 0], by_file.value[14, 14]) == (0, 255)
    data = clothing().with_rows(PICTURES, [by_numbers, by_file], np.array([1, 0]), "new")
    assert data.train_labels.tolist() == [0, 1, 7, 7]
    assert data.train.dtype == np.uint8


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (pictured(image=[[0.0]]), "image must be 28 x 28 numbers from 0 to 255"),
        (pictured(image=[[1], [2, 3]]), "image must be"),
        (pictured(image=np.full((28, 28), 256).tolist()), "image must be"),
        (pictured(image_bytes={"b64": "bm90aGluZw=="}), "image_bytes Expected a PNG"),
        (pictured(image_bytes=7), "image_bytes is not a file in base64"),
        (pictured(), "image missing"),
    ],
)
def test_what_is_no_picture(given: GivenTruth, why: str) -> None:
    with pytest.raises(UnfitTruthError, match=why):
        clothing().row(given, PICTURES)


def test_a_digit_is_a_class_by_its_number() -> None:
    form = tasks.get("digits").feedback_rows
    assert form is not None
    given = replace(pictured(image=np.zeros((28, 28)).tolist()), truth={"digit": 3})
    assert form.row(given, PICTURES).target == "3"


def test_feedback_leaves_the_others_split_as_it_was() -> None:
    labels = np.arange(240) % 3
    learned, held_out = stratified(labels, 20, seed=1)
    form = clothing()
    rows = [form.row(pictured(image=np.full((28, 28), n).tolist()), PICTURES) for n in (1, 2, 3)]
    added = form.with_rows(PICTURES, rows, np.array([2, 0, 1]), "new").added
    more = stratified_before(np.concatenate([labels, [1, 1, 1]]), 5000, 1, added)
    assert more[0].tolist() == [*learned, 240, 240, 242]
    assert more[1].tolist() == [*held_out, 241]
    assert [part.tolist() for part in stratified_before(labels, 5000, 1, None)] == [
        learned.tolist(),
        held_out.tolist(),
    ]


def test_a_run_keeps_its_feedback_for_its_owner(tmp_path: Any) -> None:
    feedback = Feedback(taken_at=5.0, share=0.1, truths=(car(), truth()))
    path = tmp_path / "feedback.json"
    assert read_feedback(path) is None
    write_feedback(path, feedback)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_feedback(path) == feedback
    path.write_text('{"format": 1}')
    with pytest.raises(TrainingError, match="does not hold the feedback of a run"):
        read_feedback(path)
