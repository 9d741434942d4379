"""The standard data, or the user's own: which of them ``--data`` means."""

from pathlib import Path

import pytest

from tests.owndata import CAR_HEADER, cars, draw_shapes, sentences, write_csv
from training import tasks
from training.data.load import load_data
from training.errors import UsageError


@pytest.fixture(autouse=True)
def _no_standard_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_file_or_a_folder_of_classes_is_own_data(tmp_path: Path) -> None:
    draw_shapes(tmp_path / "shapes", 10)
    texts = write_csv(tmp_path / "t.CSV", ["text", "label"], [*sentences(40, ["ham", "spam"])])
    table = write_csv(tmp_path / "cars.csv", CAR_HEADER, cars(60))
    for model, path in (("clothing", tmp_path / "shapes"), ("sentiment", texts), ("mpg", table)):
        loaded = load_data(tasks.get(model), path, 0.0)
        assert loaded.title == tasks.get(model).own_data.title
        assert loaded.own


def test_the_standard_files_are_the_standard_data_wherever_they_lie(tmp_path: Path) -> None:
    car = '18.0 8 307.0 130.0 3504. 12.0 70 1\t"chevrolet chevelle malibu"\n'
    (tmp_path / "any" / "datasets").mkdir(parents=True)
    (tmp_path / "any" / "datasets" / "auto-mpg.data").write_text(car)
    loaded = load_data(tasks.get("mpg"), tmp_path / "any", 0.0)
    assert not loaded.own
    assert loaded.title == tasks.get("mpg").title


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("clothing", "t10k-labels-idx1-ubyte.gz; nor is it a folder with a folder of pictures for each class."),
        ("sentiment", "aclImdb_v1.tar.gz; nor is it a CSV or JSONL file of texts with labels."),
        ("mpg", "auto-mpg.data; nor is it a CSV file of cars."),
    ],
)  # fmt: skip
def test_what_is_neither_is_refused(tmp_path: Path, model: str, problem: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path / "notes.txt", tmp_path):
        with pytest.raises(UsageError) as caught:
            load_data(tasks.get(model), path, 0.0)
        assert str(caught.value).startswith(f"{path} does not hold the ")
        assert str(caught.value).endswith(problem)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv is not there\."):
        load_data(tasks.get("mpg"), tmp_path / "none.csv", 0.0)
