"""``understudy mirror``, up to where it goes on for ever."""

from pathlib import Path

import pytest

from service.repository.object_store.origin import mark_as_mirror
from understudy import cli
from understudy.failures import FAILED, WRONG_USAGE


def test_what_is_no_store_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["mirror", "saved_models", "--to", str(tmp_path)]) == WRONG_USAGE
    assert "saved_models is no object store" in capsys.readouterr().err
    mark_as_mirror(tmp_path, "s3://models/other")
    assert cli.main(["mirror", "s3://models/a", "--to", str(tmp_path)]) == FAILED
    assert "mirrors s3://models/other" in capsys.readouterr().err
