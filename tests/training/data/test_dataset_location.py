"""Where data is looked for, and what is said when it is nowhere."""

from pathlib import Path

import pytest

from training.data.dataset_location import DataSet, find_dataset, find_or_download
from training.data.download import Remote
from training.errors import TrainingError, UsageError


def data_set(package: Path) -> DataSet:
    files = tuple(
        Remote(name=name, url="http://127.0.0.1:1/none", algorithm="md5", digest="")
        for name in ("a.gz", "b.gz")
    )
    return DataSet(
        name="letters", files=files, folder="abc", packages=(package,), homepage="the letters' page"
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "keras"
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


def put(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(name.encode())


def test_the_keras_home_comes_before_the_package(home: Path, tmp_path: Path) -> None:
    letters = data_set(tmp_path / "package")
    assert find_dataset(letters, None) is None
    put(tmp_path / "package", "a.gz", "b.gz")
    found = find_dataset(letters, None)
    assert found is not None
    assert found.how == "package"
    put(home / "datasets" / "abc", "a.gz", "b.gz")
    found = find_dataset(letters, None)
    assert found is not None
    assert found.how == "Keras home"


def test_half_a_data_set_is_none(home: Path, tmp_path: Path) -> None:
    put(home / "datasets" / "abc", "a.gz")
    assert find_dataset(data_set(tmp_path / "package"), None) is None


@pytest.mark.parametrize("below", ["", "abc", "datasets", "datasets/abc"])
def test_a_named_folder_holds_the_files_or_is_a_keras_home(
    home: Path, tmp_path: Path, below: str
) -> None:
    put(tmp_path / "named" / below, "a.gz", "b.gz")
    found = find_dataset(data_set(tmp_path / "package"), tmp_path / "named")
    assert found is not None
    assert found.paths[0] == tmp_path / "named" / below / "a.gz"


def test_a_named_folder_without_the_files_is_wrong_usage(home: Path, tmp_path: Path) -> None:
    put(home / "datasets" / "abc", "a.gz", "b.gz")
    with pytest.raises(
        UsageError, match=r"does not hold the letters data: it needs a\.gz and b\.gz\."
    ):
        find_or_download(data_set(tmp_path / "package"), tmp_path)


def test_without_data_and_network_the_place_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        find_or_download(data_set(tmp_path / "package"), None)
    message = str(caught.value)
    assert "There is no letters data here, and it cannot be downloaded" in message
    assert f"Put a.gz and b.gz from the letters' page into {home / 'datasets' / 'abc'}" in message
    assert "--data" in message


def test_a_keras_home_that_cannot_be_written(home: Path, tmp_path: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(TrainingError, match="cannot be downloaded: Not a directory"):
        find_or_download(data_set(tmp_path / "package"), None)


def test_the_fingerprint_follows_the_content(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "package", "a.gz", "b.gz")
    found = find_dataset(data_set(tmp_path / "package"), None)
    assert found is not None
    before = found.fingerprint()
    (tmp_path / "package" / "b.gz").write_bytes(b"other")
    assert found.fingerprint() != before
