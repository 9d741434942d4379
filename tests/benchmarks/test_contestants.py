"""Who takes part: a peer where its environment is, and each in the cases that it is for."""

from pathlib import Path

import pytest

from benchmarks.cases import build_cases
from benchmarks.contestants import CONTESTANTS, peer_versions
from benchmarks.errors import BenchmarkError
from service.repository.golden_examples import Golden, GoldenExample


def golden(name: str) -> Golden:
    return Golden([GoldenExample("serving_default", {name: [0.0]}, {"y": [1.0]})])


def test_a_peer_takes_part_where_its_environment_is(tmp_path: Path) -> None:
    mosec = CONTESTANTS["mosec"]
    assert mosec.python(None) is None
    assert mosec.python(tmp_path) is None
    python = tmp_path / "mosec" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert mosec.python(tmp_path) == str(python)
    assert CONTESTANTS["triton"].python(tmp_path) is None
    assert CONTESTANTS["ours"].python(None)


def test_many_connections_are_for_ours_and_peers_serve_the_dense_networks() -> None:
    names = ["row_dense-1x32", "row_dense-1x1000", "mpg-1x32"]
    cases = build_cases({name: golden("x") for name in ("row_dense", "mpg")}, names)
    takes = {name: [c.name for c in cases if s.takes(c)] for name, s in CONTESTANTS.items()}
    assert takes["ours"] == names
    assert takes["mosec"] == takes["triton"] == ["row_dense-1x32"]
    assert takes["naive"] == takes["fastapi"] == ["row_dense-1x32", "mpg-1x32"]


def test_a_peer_is_asked_at_its_own_path() -> None:
    [case] = build_cases({"row_dense": golden("row")}, ["row_dense-1x8"])
    assert CONTESTANTS["triton"].path_of(case) == "/v2/models/row_dense/infer"
    assert CONTESTANTS["ours"].path_of(case) == "/v1/models/row_dense:predict"


def test_an_environment_without_its_packages_is_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(BenchmarkError, match="mosec lacks one of mosec, tensorflow"):
        peer_versions(CONTESTANTS["mosec"], str(python))
    assert peer_versions(CONTESTANTS["ours"], str(python)) == ""
