"""Runs every command of the README, in order, in a copy of the repository, as a new user would."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import free_port
from tests.waiting import eventually
from training.data.auto_mpg import AUTO_MPG
from training.data.dataset_location import find_dataset

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.1:8501"


@dataclass
class Step:
    """A command of the README and the answer that is shown below it."""

    command: str
    answer: str


def steps() -> list[Step]:
    """Return the steps of all ``console`` blocks."""
    found = []
    text = (ROOT / "README.md").read_text()
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, answer = part.partition("\n")
            found.append(Step(command, answer))
    return found


STEPS = steps()


@dataclass
class Workshop:
    """A copy of the repository, and the service that was started in it."""

    folder: Path
    address: str
    lacks: str = ""
    service: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The user's own, with another port; the tests' environment stands in for ``.venv``."""
        host, port = self.address.split(":")
        # A make that runs these tests would have the makes below it say where they are.
        own = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        # The command in that environment is of the repository; what it runs is the copy's.
        return {**own, "HOST": host, "PORT": port, "PYTHONPATH": str(self.folder)}

    def run(self, command: str) -> str:
        """Run a command to its end, and return what it prints."""
        process = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command.replace(ADDRESS, self.address)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
        return process.stdout.replace(self.address, ADDRESS)

    def serve(self, command: str) -> str:
        """Start a command that does not end, and return what it has printed when it is up."""
        output = self.folder / "serve.log"
        with output.open("wb") as file:
            self.service = subprocess.Popen(
                command.split(),
                cwd=self.folder,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        eventually(lambda: "Understudy serves on" in output.read_text(), 240)
        return output.read_text().replace(self.address, ADDRESS)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    folder = tmp_path_factory.mktemp("readme") / "understudy"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    for path in (folder / "pyproject.toml", *(folder / "requirements").glob("*.lock")):
        os.utime(path, (0, 0))  # as the environment has it: nothing is installed into it from here
    workshop = Workshop(folder, f"127.0.0.1:{free_port()}")
    yield workshop
    if workshop.service is not None:
        os.killpg(workshop.service.pid, signal.SIGTERM)
        workshop.service.wait(60)


def needs(command: str) -> str:
    """Return what this machine lacks for a command; empty when nothing."""
    if command.startswith("docker") and (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0
    ):
        return "no Docker engine runs here"
    if command.startswith("make train") and find_dataset(AUTO_MPG, None) is None:
        return "the data of Auto MPG is not here"
    if "curl" in command and shutil.which("curl") is None:
        return "curl is not installed"
    return ""


# What trains takes minutes where other tests train beside it.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", STEPS, ids=[step.command[:40] for step in STEPS])
def test_a_command_does_what_the_readme_shows(workshop: Workshop, step: Step) -> None:
    missing = needs(step.command) or workshop.lacks
    if missing:
        if step.command.startswith("make train"):
            # What follows is about the version that was trained.
            workshop.lacks = missing
        pytest.skip(missing)
    if step.command == "make serve":
        printed = workshop.serve(step.command)
    else:
        printed = workshop.run(step.command)
    assert_shown(printed, step.answer)


def assert_shown(printed: str, answer: str) -> None:
    """Check that what was printed is what is shown; a line of dots stands for any lines."""
    if answer.startswith("{"):
        assert_same(json.loads(printed), json.loads(answer))
        return
    pattern = "".join(
        r"(?:.*\n)*" if line == "..." else f"{re.escape(line)}\n" for line in answer.splitlines()
    )
    assert re.fullmatch(pattern, printed), f"{printed[-3000:]}\nis not what is shown:\n{answer}"


def assert_same(got: Any, shown: Any) -> None:
    """Compare JSON; other processors round differently in the last digits."""
    if isinstance(shown, float):
        assert math.isclose(got, shown, rel_tol=1e-2, abs_tol=1e-3), (got, shown)
    elif isinstance(shown, dict):
        assert got.keys() == shown.keys()
        for key in shown:
            assert_same(got[key], shown[key])
    elif isinstance(shown, list):
        assert len(got) == len(shown)
        for each, other in zip(got, shown, strict=True):
            assert_same(each, other)
    else:
        assert got == shown


def test_every_command_of_the_readme_is_among_the_steps() -> None:
    """A command in another kind of block would escape the tests above."""
    text = (ROOT / "README.md").read_text()
    assert len(STEPS) >= 9
    for kind in re.findall(r"^```(\w+)$", text, re.MULTILINE):
        assert kind == "console"


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)
