"""The folders of models over which the cost of a request is measured."""

from pathlib import Path

import pytest

from benchmarks.scaling import with_models, with_versions
from service.repository.model_store import Store


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "version"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"graph")
    return folder


def test_a_folder_of_many_models_holds_the_one_that_is_asked(version: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with_models(store, version, 3)
    assert sorted(store.models()) == ["row_dense", "row_dense_1", "row_dense_2"]
    [folder] = store.versions("row_dense").values()
    assert (folder / "saved_model.pb").read_bytes() == b"graph"


def test_a_model_of_many_versions(version: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with_versions(store, version, 3)
    assert sorted(store.versions("row_dense")) == [1, 2, 3]
    assert list(store.models()) == ["row_dense"]
