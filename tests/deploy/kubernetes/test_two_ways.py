"""The chart and kustomize's overlays come to the same manifests, so that neither falls behind."""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.kubernetes.rendering import (
    KUSTOMIZE,
    VARIANTS,
    Manifest,
    charted,
    documents,
    kustomized,
    run,
    template,
)

# What Helm adds to every object, and what only a release needs.
OF_HELM = {
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
    "helm.sh/resource-policy",
}


def compared(value: Any) -> Any:
    """Return a part of a manifest without what is Helm's, lists of named things by their names."""
    if isinstance(value, dict):
        parts = {key: compared(part) for key, part in value.items() if key not in OF_HELM}
        return {key: part for key, part in parts.items() if key != "annotations" or part}
    if isinstance(value, list):
        if value and all(isinstance(item, dict) and "name" in item for item in value):
            return {item["name"]: compared(item) for item in value}
        return [compared(item) for item in value]
    return value


def by_name(manifests: list[Manifest]) -> dict[str, Any]:
    """Return what is compared of manifests by kind and name."""
    found = {f"{each['kind']}/{each['metadata']['name']}": compared(each) for each in manifests}
    assert len(found) == len(manifests)
    return found


@pytest.mark.parametrize(("folder", "values"), VARIANTS.items())
def test_both_render_the_same(folder: str, values: str) -> None:
    assert by_name(charted(values)) == by_name(kustomized(folder))


def test_a_retraining_on_a_volume_is_the_same(tmp_path: Path) -> None:
    # Kustomize follows relative paths alone.
    to = Path(*[".."] * len(tmp_path.resolve().relative_to("/").parts), *KUSTOMIZE.parts[1:])
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [{to}/base]\ncomponents: [{to}/components/retraining, {to}/components/volume]\n"
    )
    overlay = documents(run("kubectl", "kustomize", tmp_path.resolve()))
    job = '[{"name": "mpg", "model": "mpg", "schedule": "0 3 * * *"}]'
    chart = documents(
        template("--set", "models.source=volume", "--set-json", f"retraining.jobs={job}")
    )
    assert by_name(chart) == by_name(overlay)


def test_what_is_compared_is_all_but_helms() -> None:
    assert compared({"a": [{"name": "x", "b": 1}], "annotations": {"helm.sh/chart": "u"}}) == {
        "a": {"x": {"name": "x", "b": 1}}
    }
    assert compared({"a": [1, 2]}) != compared({"a": [2, 1]})
