"""Digits, on generated pictures and on MNIST where it is."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from service.repository.model_card import read_card
from tests.digits import write_mnist
from tests.training.tasks.conftest import Trained, check_session, train
from training import tasks
from training.data.dataset_location import Found, find_dataset
from training.errors import TrainingError

DIGITS = tasks.get("digits")


def found(path: Path) -> Found:
    return Found((path,), "test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("digits")
    data = DIGITS.load(found(write_mnist(folder, train=1200, test=300)))
    return train(DIGITS, data, folder / "runs", "default", epochs=3)


def test_it_learns_generated_digits(trained: Trained) -> None:
    check_session(trained)
    card = read_card(trained.run.export)
    assert card is not None
    assert card.evaluation["accuracy"] > 0.9
    assert card.data["held_out"] == 100


def test_the_network_is_the_quickstarts(trained: Trained) -> None:
    layers = [type(layer).__name__ for layer in trained.plan.model.layers[-4:]]
    assert layers == ["Flatten", "Dense", "Dropout", "Dense"]
    assert trained.plan.model.count_params() == 407_050


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"x_train": np.zeros(3)}, "y_train"),
        ({"x_train": np.zeros((3, 28, 27), np.uint8), "y_train": np.arange(3)}, "(3, 28, 27) for 3 labels"),
        ({"x_train": np.zeros((3, 28, 28), np.uint8), "y_train": np.arange(3)}, "labels must be 0 to 9, not [0, 1, 2]"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_mnist(
    tmp_path: Path, arrays: dict[str, np.ndarray], problem: str
) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **arrays)
    with pytest.raises(TrainingError, match=re.escape(problem)):
        DIGITS.load(found(path))
    path.write_bytes(b"PK, but no archive")
    with pytest.raises(TrainingError, match="is not MNIST as Keras stores it"):
        DIGITS.load(found(path))


def test_mnist_itself_where_it_is() -> None:
    here = find_dataset(DIGITS.data_set, None)
    if here is None:
        pytest.skip("MNIST is not on this machine")
    data = DIGITS.load(here)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)


def test_the_story_tells_the_file_as_it_is(repository_root: Path) -> None:
    story = (repository_root / "docs" / "guides" / "add-a-model.md").read_text()
    source = (repository_root / "training" / "tasks" / "digits.py").read_text()
    fragments = re.findall(r"^```python\n(.*?)^```$", story, re.MULTILINE | re.DOTALL)
    assert len(fragments) >= 8
    for fragment in fragments:
        indented = textwrap.indent(fragment, "    ")
        assert fragment in source or indented in source, fragment
