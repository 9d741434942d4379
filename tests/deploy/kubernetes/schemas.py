"""What a manifest may hold: Kubernetes' own strict schemas, and the parts of others' that are used."""

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.deploy.kubernetes.rendering import TOOLS, Manifest

_SCHEMAS = TOOLS / "packages" / "kubernetes_validate" / "kubernetes-json-schema"


def _text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def _texts() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _text()}


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that holds nothing but ``properties``."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def _list(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_DURATION = _text(pattern=r"^(\d+(ms|[smhdwy]))+$")
_RULE = _object(
    "alert", "expr",
    alert=_text(), expr=_text(), labels=_texts(), annotations=_texts(), **{"for": _DURATION},
)  # fmt: skip
_FORMAT = _object(
    "name", name=_text(), version=_text(), autoSelect={"type": "boolean"}, priority={"type": "integer"}
)  # fmt: skip
# Of the custom resource definitions of the Prometheus operator (v1) and KServe (v1alpha1, v1beta1):
# the names and types of what the manifests use, as their reference states them. A pod's containers
# and volumes are checked as Kubernetes' own.
_OTHERS: dict[tuple[str, str], dict[str, Any]] = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _object(
        "selector", "endpoints",
        selector=_object(matchLabels=_texts()),
        endpoints=_list(_object(
            port=_text(), path=_text(), interval=_DURATION,
            relabelings=_list(_object(targetLabel=_text(), replacement=_text())),
        )),
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _object(
        groups=_list(_object("name", name=_text(minLength=1), rules=_list(_RULE))),
    ),
    ("serving.kserve.io/v1alpha1", "ClusterServingRuntime"): _object(
        "containers",
        annotations=_texts(),
        supportedModelFormats=_list(_FORMAT),
        protocolVersions=_list({"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}),
        containers=_list({"type": "object"}, minItems=1),
        volumes=_list({"type": "object"}),
    ),
    ("serving.kserve.io/v1beta1", "InferenceService"): _object(
        "predictor",
        predictor=_object(
            minReplicas={"type": "integer", "minimum": 0},
            model=_object(
                "modelFormat",
                modelFormat=_object("name", name=_text(), version=_text()),
                runtime=_text(), storageUri=_text(), args=_list(_text()),
            ),
        ),
    ),
}  # fmt: skip


def problems(manifest: Manifest) -> list[str]:
    """Return what is wrong with a manifest, each with its place."""
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest)
    ]


@functools.cache
def _validator(api: str, kind: str) -> Draft202012Validator:
    spec = _OTHERS.get((api, kind))
    if spec is None:
        return _kubernetes(api, kind)
    whole = _object(
        "metadata", "spec", apiVersion=_text(), kind=_text(), metadata={"type": "object"}, spec=spec
    )
    return Draft202012Validator(whole)


def _kubernetes(api: str, kind: str) -> Draft202012Validator:
    folder = _newest()
    group, _, version = api.rpartition("/")
    # As they name them: policy/v1 is "policy-v1", networking.k8s.io/v1 is "networking-v1".
    parts = [kind.lower(), *([group.partition(".")[0]] if group else []), version]
    schema = json.loads((folder / f"{'-'.join(parts)}.json").read_text())
    return Draft202012Validator(schema, registry=_definitions())


@functools.cache
def _definitions() -> Registry[Any]:
    definitions = json.loads((_newest() / "_definitions.json").read_text())
    return Resource.from_contents(definitions) @ Registry()


@functools.cache
def _newest() -> Path:
    found = {
        tuple(map(int, match[1].split("."))): path
        for path in _SCHEMAS.glob("v*-local-strict")
        if (match := re.fullmatch(r"v([\d.]+)-local-strict", path.name))
    }
    if not found:
        pytest.skip("Kubernetes' schemas are not there; make install-kubernetes installs them")
    return found[max(found)]
