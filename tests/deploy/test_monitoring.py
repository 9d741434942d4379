"""Compose's profile for monitoring: its configuration is valid, and its parts find each other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.promtool import promtool

PROMETHEUS = "deploy/prometheus"
GRAFANA = "deploy/grafana"


@pytest.fixture
def services(compose: str) -> dict[str, Any]:
    """The services of the profile, by name."""
    every = yaml.safe_load(compose)["services"]
    return {name: each for name, each in every.items() if each.get("profiles") == ["monitoring"]}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return what is mounted where."""
    pairs = [volume.split(":")[:2] for volume in service["volumes"]]
    return {inside: outside for outside, inside in pairs}


def test_prometheus_takes_its_configuration(root: Path) -> None:
    printed = promtool("check", "config", root / PROMETHEUS / "prometheus.yml")
    assert "1 rule files" in printed
    assert "is valid prometheus config file" in printed


def test_images_have_a_version(services: dict[str, Any]) -> None:
    assert len(services) == 3
    for service in services.values():
        assert re.fullmatch(r"[a-z-]+/[a-z-]+:v?\d+\.\d+\.\d+", service["image"])


def test_what_is_mounted_exists(services: dict[str, Any], compose: str, root: Path) -> None:
    volumes = yaml.safe_load(compose)["volumes"]
    for service in services.values():
        for outside in mounts(service).values():
            assert outside in volumes or (root / outside).exists(), outside


def test_prometheus_asks_services_of_compose(compose: str, root: Path) -> None:
    services = yaml.safe_load(compose)["services"]
    jobs = yaml.safe_load((root / PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    # The alerts look for a job of this name.
    assert targets["understudy"] == ["service:8501"]
    hosts = {target.partition(":")[0] for each in targets.values() for target in each}
    assert hosts <= services.keys()


def test_grafana_finds_prometheus_and_the_dashboard(services: dict[str, Any], root: Path) -> None:
    provisioning = root / GRAFANA / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())
    url = source["datasources"][0]["url"]
    assert re.fullmatch(r"http://(.+):9090", url)[1] in services
    provider = yaml.safe_load((provisioning / "dashboards" / "understudy.yml").read_text())
    folder = provider["providers"][0]["options"]["path"]
    inside = mounts(services["grafana"])
    assert inside["/etc/grafana/provisioning"] == f"./{GRAFANA}/provisioning"
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(f"{folder}/")
    assert json.loads((root / inside[home]).read_text())["title"] == "Understudy"


def test_retrainings_are_seen_where_the_documentation_has_them_written(
    services: dict[str, Any], root: Path
) -> None:
    exporter = services["node-exporter"]
    folder = exporter["command"][-1].partition("directory=")[2]
    assert mounts(exporter)[folder] == "runs"
    page = (root / "docs" / "guides" / "monitor.md").read_text()
    assert "--metrics-file /app/runs/" in page
