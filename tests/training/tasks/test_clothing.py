"""Clothing, on a slice of the real data."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.training.tasks.conftest import Trained, check_session, history, train
from training import tasks
from training.data import fashion_mnist
from training.data.dataset_location import Found
from training.data.dataset_types import Images

CLOTHING = tasks.get("clothing")


@pytest.fixture(scope="module")
def data(found_clothing: Found) -> Images:
    everything = fashion_mnist.read(found_clothing)
    return dataclasses.replace(
        everything,
        train=everything.train[:400],
        train_labels=everything.train_labels[:400],
        test=everything.test[:200],
        test_labels=everything.test_labels[:200],
    )


@pytest.fixture(scope="module", params=["default", "tutorial"])
def trained(request: Any, data: Images, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp(request.param)
    return train(CLOTHING, data, folder, request.param, epochs=2, **{"learning-rate": 0.02})


def test_the_export_answers_the_golden_examples_in_a_session(trained: Trained) -> None:
    check_session(trained)


def test_labels_and_probabilities_agree(trained: Trained, data: Images) -> None:
    outputs = trained.predict("serving_default", {"image": data.test.astype(np.float32)})
    assert outputs["probabilities"].shape == (200, 10)
    assert np.allclose(outputs["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert (outputs["class_id"] == outputs["probabilities"].argmax(axis=1)).all()
    assert np.allclose(outputs["confidence"], outputs["probabilities"].max(axis=1))
    names = [label.decode() for label in outputs["label"][:5]]
    assert names == [CLOTHING_LABELS[i] for i in outputs["class_id"][:5]]


CLOTHING_LABELS = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


def test_an_encoded_picture_of_the_data_set_gets_the_same_answer(
    trained: Trained, data: Images
) -> None:
    png = tf.io.encode_png(data.test[0][:, :, None]).numpy()
    raw = trained.one(image=data.test[0])
    encoded = trained.one("from_encoded", image_bytes=png)
    assert np.allclose(raw["probabilities"], encoded["probabilities"], atol=1e-5)


def test_pictures_of_several_sizes_go_through_in_one_batch(trained: Trained, data: Images) -> None:
    sizes = [picture.repeat(k, 0).repeat(k, 1) for k, picture in enumerate(data.test[:3], start=1)]
    encoded = np.array([tf.io.encode_png(p[:, :, None]).numpy() for p in sizes], object)
    outputs = trained.predict("from_encoded", {"image_bytes": encoded})
    assert outputs["probabilities"].shape == (3, 10)


def test_the_same_seed_gives_the_same_metrics(data: Images, tmp_path: Path) -> None:
    few = dataclasses.replace(data, train=data.train[:140], train_labels=data.train_labels[:140])
    first, second = (history(CLOTHING, few, tmp_path, "default") for _ in range(2))
    assert first == second
