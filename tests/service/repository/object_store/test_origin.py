"""Where the mirror of a store is."""

from pathlib import Path

import pytest

from service.repository.errors import RepositoryError
from service.repository.object_store.origin import models_folder, place_of


def test_a_store_is_mirrored_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = models_folder("s3://bucket/models")
    assert tmp_path in folder.parents
    assert place_of(folder) == "s3://bucket/models"


def test_a_cache_that_cannot_be_written_is_named_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(RepositoryError) as raised:
        models_folder("s3://bucket/models")
    said = str(raised.value)
    assert said.startswith(f"s3://bucket/models is mirrored into {tmp_path / 'cache'}/understudy/")
    assert said.endswith(
        ", which cannot be written: Not a directory. XDG_CACHE_HOME names another folder for it."
    )
