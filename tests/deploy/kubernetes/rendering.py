"""Manifests as kubectl and helm render them, once for each process; skipped where there are neither."""

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.strict_yaml import StrictLoader

ROOT = Path(__file__).resolve().parents[3]
KUSTOMIZE = ROOT / "deploy" / "kubernetes"
CHART = ROOT / "deploy" / "helm" / "understudy"
KSERVE = KUSTOMIZE / "kserve"
TOOLS = ROOT / "build" / "kubernetes"

Manifest = dict[str, Any]

# The ways to deploy that both have: a folder of kustomize's, and the chart's values.
VARIANTS = {
    "base": "",
    "overlays/volume": "volume",
    "overlays/object-store": "object-store",
    "overlays/production": "production",
}


def run(command: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm or kubectl, and return what came of it."""
    path = TOOLS / "bin" / command
    # Others' are as old as may be.
    if not path.exists():
        pytest.skip(f"{command} is not there; make install-kubernetes installs it")
    return subprocess.run(
        [path, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT
    )


def documents(result: subprocess.CompletedProcess[str]) -> list[Manifest]:
    """Return the manifests that a command has printed."""
    assert result.returncode == 0, result.stderr
    return [each for each in yaml.load_all(result.stdout, StrictLoader) if each]


@functools.cache
def kustomized(folder: str) -> list[Manifest]:
    """Return what kustomize makes of a folder below deploy/kubernetes."""
    return documents(run("kubectl", "kustomize", KUSTOMIZE / folder))


def template(*arguments: str | Path, release: str = "understudy") -> Any:
    """Render the chart with the arguments of ``helm template``."""
    return run("helm", "template", release, CHART, *arguments)


@functools.cache
def charted(values: str = "") -> list[Manifest]:
    """Return what the chart comes to, with values from its folder ``ci``."""
    return documents(
        template(*(["--values", CHART / "ci" / f"{values}-values.yaml"] if values else []))
    )


def kserve() -> list[Manifest]:
    """Return the runtime and the example for KServe."""
    return [yaml.safe_load(path.read_text()) for path in sorted(KSERVE.glob("*.yaml"))]


def every_manifest() -> list[Manifest]:
    """Return the manifests of all variants, of both tools, and those for KServe."""
    rendered = [kustomized(folder) for folder in VARIANTS]
    rendered += [charted(values) for values in VARIANTS.values()]
    return [each for manifests in rendered for each in manifests] + kserve()


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """Yield the pods that manifests make, as manifests."""
    for each in manifests:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if each["kind"] == "ClusterServingRuntime":
            # KServe makes a pod of it.
            known = {name: spec[name] for name in ("containers", "volumes")}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": each["metadata"], "spec": known}
        elif "template" in spec:
            template = spec["template"]
            yield {"apiVersion": "v1", "kind": "Pod", **template}


def of_kind(kind: str, manifests: list[Manifest]) -> Iterator[Manifest]:
    """Yield the manifests of a kind."""
    return (each for each in manifests if each["kind"] == kind)
