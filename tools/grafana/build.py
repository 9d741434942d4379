"""Builds Grafana's dashboard, ``deploy/grafana/understudy.json``.

Run it with ``python -m tools.grafana.build``.

A dashboard by hand is 2,000 lines that nobody reads. Tests hold the file to what this builds from
``rows.py``, and the queries to the metrics that exist.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.grafana.rows import MODEL, ROWS, Panel

FILE = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "understudy.json"

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH = 24
_HEIGHT = 8
_LOW_HEIGHT = 4


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "uid": "understudy",
        "title": "Understudy",
        "description": "Built by tools/grafana; changes by hand are lost.",
        "tags": ["understudy"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "templating": {
            "list": [
                {
                    "name": "source",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                },
                _variable("instance", "label_values(understudy_workers_ready, instance)"),
                _variable(
                    "model", 'label_values(understudy_live_version{instance=~"$instance"}, model)'
                ),
            ]
        },
        "annotations": {
            "list": [
                {
                    "name": "Swaps",
                    "datasource": _SOURCE,
                    "enable": True,
                    "expr": f"changes(understudy_live_version{{{MODEL}}}[1m]) > 0",
                    "titleFormat": "{{model}}: another version",
                    "iconColor": "blue",
                }
            ]
        },
        "panels": list(_panels()),
    }


def queries() -> list[str]:
    """Return the PromQL of all panels."""
    return [query for _, panels in ROWS for panel in panels for query, _ in panel.queries]


def text() -> str:
    """Return the file's content."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def _panels() -> Iterator[dict[str, Any]]:
    number = top = 0
    for title, panels in ROWS:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": _WIDTH, "h": 1},
            "panels": [],
        }
        top += 1
        height = _LOW_HEIGHT if panels[0].kind == "stat" else _HEIGHT
        width = _WIDTH // len(panels)
        for place, panel in enumerate(panels):
            number += 1
            yield {
                "id": number,
                "gridPos": {"x": place * width, "y": top, "w": width, "h": height},
                **_panel(panel),
            }
        top += height


def _panel(panel: Panel) -> dict[str, Any]:
    options: dict[str, Any] = {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    if panel.kind == "stat":
        options = {"colorMode": "background", "reduceOptions": {"calcs": ["lastNotNull"]}}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend,
            }
            for number, (query, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": list(panel.colours)},
            },
            "overrides": [],
        },
        "options": options,
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
