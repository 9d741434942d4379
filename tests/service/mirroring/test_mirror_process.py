"""The process of a mirror: how it ends."""

import subprocess
import sys
from pathlib import Path

MODULE = "service.mirroring.mirror_process"


def test_one_that_cannot_begin_says_why_and_ends(tmp_path: Path) -> None:
    """Its service lives, so that standard input stays open."""
    command = [sys.executable, "-m", MODULE, "s3://bucket/models", str(tmp_path / "mirror"), "30"]
    (tmp_path / "mirror").write_text("a file")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.wait(60) == 1
        said = process.stderr.read().decode()
    assert len(said.splitlines()) == 1
    assert "Mirror: " in said
