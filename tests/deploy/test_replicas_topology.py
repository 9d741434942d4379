"""The three replicas of ``deploy/replicas``: their parts agree with each other and with the service."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings.settings import Settings
from tests.e2e.haproxy import configuration, found_haproxy

NAMES = ("replica-1", "replica-2", "replica-3")


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "deploy" / "replicas"


@pytest.fixture
def services(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    return found


@pytest.fixture
def proxy(folder: Path) -> str:
    return (folder / "haproxy.cfg").read_text()


def test_haproxy_finds_nothing_wrong(root: Path, tmp_path: Path) -> None:
    program = found_haproxy()
    if program is None:
        pytest.skip("there is no HAProxy; Debian's package is called so")
    configured = tmp_path / "haproxy.cfg"
    configured.write_text(configuration(root, 18_501, (1, 2, 3)))
    result = subprocess.run(
        [program, "-c", "-f", str(configured)], capture_output=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_haproxy_asks_the_replicas_that_there_are(services: dict[str, Any], proxy: str) -> None:
    asked = re.findall(r"^    server (\S+) (\S+):8501$", proxy, re.MULTILINE)
    assert asked == [(name, name) for name in NAMES]
    for name in NAMES:
        environment = services[name]["environment"]
        assert environment["UNDERSTUDY_REPLICA"] == name
        known = {variable.name for variable, _ in Settings.table()}
        assert {each for each in environment if each.startswith("UNDERSTUDY_")} <= known
        Settings.from_environ({k: v for k, v in environment.items() if "$" not in v})


def test_the_trainer_learns_from_what_the_replicas_store(services: dict[str, Any]) -> None:
    """Without the store `retrain --feedback` has nothing to learn from."""
    stores = {services[name]["environment"]["UNDERSTUDY_EVENTS"] for name in (*NAMES, "trainer")}
    assert len(stores) == 1


def test_haproxy_waits_for_the_replicas_own_words(services: dict[str, Any], proxy: str) -> None:
    (answer_s,) = re.findall(r"timeout server (\d+)s", proxy)
    assert int(answer_s) > Settings().timeout_s
    (look_ms,) = re.findall(r"check inter (\d+)ms", proxy)
    stays_s = float(services[NAMES[0]]["environment"]["UNDERSTUDY_LAME_DUCK_S"])
    assert stays_s >= 2 * int(look_ms) / 1000


def test_nothing_is_open_to_the_network_and_all_are_confined(services: dict[str, Any]) -> None:
    assert {name: each["ports"] for name, each in services.items() if "ports" in each} == {
        "front": ["${UNDERSTUDY_PUBLISH:-127.0.0.1:8501}:8501"]
    }
    for name, each in services.items():
        assert each["read_only"], name
        assert each["cap_drop"] == ["ALL"], name
        assert each["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
