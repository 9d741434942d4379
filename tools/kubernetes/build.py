"""Writes the alerts, the settings and the table of values into manifests and chart.

Run it with ``python -m tools.kubernetes.build``. Tests hold the files to what this builds.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from service.settings.environment_variables import EnvironmentVariable, variables_of
from service.settings.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_RULES = _ROOT / "deploy" / "prometheus" / "rules.yml"
_RULE = _ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "prometheusrule.yaml"
_CHART = _ROOT / "deploy" / "helm" / "understudy"
_SCHEMA = _CHART / "values.schema.json"
_README = _CHART / "README.md"
_RULE_HEAD = """\
# Made of deploy/prometheus/rules.yml by tools/kubernetes; changes by hand are lost.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: understudy
spec:
"""
# Settled by the manifests: by the image, by a volume, by a secret, or by other values.
SETTLED = frozenset(
    {
        "MODELS",
        "PORT",
        "UNDERSTUDY_ADMIN_TOKEN",
        "UNDERSTUDY_DRAIN_S",
        "UNDERSTUDY_EVENTS",
        "UNDERSTUDY_GRPC_PORT",
        "UNDERSTUDY_KEYS_FILE",
        "UNDERSTUDY_LAME_DUCK_S",
        "UNDERSTUDY_MIRROR_FOLDER",
        "UNDERSTUDY_MODEL_BASE_PATH",
        "UNDERSTUDY_MODEL_CONFIG_FILE",
        "UNDERSTUDY_MODEL_CONFIG_POLL_S",
        "UNDERSTUDY_MODEL_NAME",
        "UNDERSTUDY_TLS_CERTIFICATE",
        "UNDERSTUDY_TLS_CLIENT_CA",
        "UNDERSTUDY_TLS_KEY",
        "UNDERSTUDY_WORKERS_FOLDER",
    }
)
_TABLE_START = "<!-- Made of values.schema.json and values.yaml by tools/kubernetes. -->\n"


def built() -> dict[Path, str]:
    """Return the files that are made, and their texts."""
    rules = _RULES.read_text(encoding="utf-8")
    groups = "".join(f"  {line}" if line.strip() else line for line in rules.splitlines(True))
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["settings"]["properties"] = {
        variable.name: _setting(kind, variable)
        for _, kind, variable in variables_of(Settings)
        if variable.name not in SETTLED
    }
    head = _README.read_text(encoding="utf-8").partition(_TABLE_START)[0]
    values = yaml.safe_load((_CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = ["| value | default | meaning |", "|---|---|---|", *_rows(schema["properties"], values)]
    return {
        _RULE: _RULE_HEAD + groups,
        _CHART / "files" / "rules.yml": rules,
        _SCHEMA: json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
        _README: head + _TABLE_START + "\n" + "\n".join(rows) + "\n",
    }


def _setting(kind: Any, variable: EnvironmentVariable) -> dict[str, Any]:
    """Return the schema of a setting's text. The service itself checks what it means."""
    schema: dict[str, Any] = {"description": variable.help, "type": "string"}
    if kind is bool:
        return schema | {"enum": ["true", "false"]}
    if variable.choices:
        return schema | {"enum": list(variable.choices)}
    patterns = {int: r"^[0-9]+$", float: r"^[0-9]+(\.[0-9]+)?$"}
    return schema | ({"pattern": patterns[kind]} if kind in patterns else {"minLength": 1})


def _rows(properties: Mapping[str, Any], values: Any, above: str = "") -> Iterator[str]:
    for name, schema in properties.items():
        value = values.get(name) if isinstance(values, dict) else None
        path = f"{above}{name}"
        if path == "global":
            continue
        if path != "settings" and "properties" in schema:
            yield from _rows(schema["properties"], value, f"{path}.")
            continue
        default = "" if value is None else f"`{json.dumps(value)}`"
        yield f"| `{path}` | {default} | {schema['description']} |"
        # Of the objects in a list.
        if "properties" in schema.get("items", {}) and path != "extraEnv":
            yield from _rows(schema["items"]["properties"], None, f"{path}[].")


if __name__ == "__main__":
    for path, text in built().items():
        path.write_text(text, encoding="utf-8")
