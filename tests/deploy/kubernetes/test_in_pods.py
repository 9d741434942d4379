"""What runs in pods, tried without them: the command of a retraining, and a secret with keys."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from service.access.key_file import new_key, read_keys
from tests.deploy.kubernetes.rendering import KUSTOMIZE
from tests.waiting import eventually


@pytest.fixture
def retraining(tmp_path: Path) -> Sequence[str]:
    """The command of the CronJob, in which "understudy" is a script of the test's."""
    manifest = yaml.safe_load((KUSTOMIZE / "components/retraining/cronjob.yaml").read_text())
    pod = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return [*pod["containers"][0]["command"], *pod["containers"][0]["args"]]


def start(command: Sequence[str], folder: Path, script: str) -> subprocess.Popen[bytes]:
    """Start the command with an ``understudy`` that runs ``script``."""
    understudy = folder / "understudy"
    understudy.write_text(f"#!/bin/sh\n{script}\n")
    understudy.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(command, cwd=folder, env={**os.environ, "PATH": path})


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (3, 3), (4, 0), (5, 5)])
def test_no_new_data_is_no_failed_job(
    retraining: Sequence[str], tmp_path: Path, code: int, expected: int
) -> None:
    script = f'echo "$@" > arguments; exit {code}'
    assert start(retraining, tmp_path, script).wait(30) == expected
    assert (tmp_path / "arguments").read_text() == "retrain mpg\n"


def test_a_training_that_is_stopped_ends_by_itself(
    retraining: Sequence[str], tmp_path: Path
) -> None:
    script = "trap 'echo told > told; sleep 0.2; exit 130' TERM; touch ready; while :; do sleep 0.05; done"
    process = start(retraining, tmp_path, script)
    eventually((tmp_path / "ready").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    assert (tmp_path / "told").read_text() == "told\n"


def test_keys_are_read_from_a_secret(tmp_path: Path) -> None:
    """Kubernetes shows a secret as links to a folder that it replaces, with the mode that is asked."""
    first, second = tmp_path / "..1", tmp_path / "..2"
    for folder, name in ((first, "old"), (second, "new")):
        folder.mkdir()
        keys = {"keys": [new_key(name)[1].to_json()]}
        (folder / "keys.json").write_text(json.dumps(keys))
        (folder / "keys.json").chmod(0o440)
    (tmp_path / "..data").symlink_to(first.name)
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    assert [key.name for key in read_keys(tmp_path / "keys.json").values()] == ["old"]
    (tmp_path / "..tmp").symlink_to(second.name)
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert [key.name for key in read_keys(tmp_path / "keys.json").values()] == ["new"]
