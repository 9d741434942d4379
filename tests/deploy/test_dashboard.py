"""Grafana's dashboard is what the code builds, and shows metrics that exist."""

import json
import re
from pathlib import Path

import pytest
import yaml

from service.monitoring.prometheus_metrics import Metrics
from tests.deploy.test_alerts import RULES, rules
from tests.promtool import promtool
from tools.grafana import build
from training.workflows.prometheus_textfile import Retrained, write_textfile

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "summary": ("_count", "_sum"),
    "histogram": ("_bucket", "_count", "_sum"),
}
NAME = re.compile(r"\b(?:understudy|process|python)_[a-z_]+")


@pytest.fixture(scope="module")
def existing(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all series of the service and of a retraining."""
    file = tmp_path_factory.mktemp("retrained") / "m.prom"
    retrained = Retrained(
        model="m", outcome="published", ended=1.0, seconds=1.0, version=2, metrics={"mae": 1.0}
    )
    write_textfile(file, retrained)
    return set(NAME.findall(file.read_text())) | {
        family.name + suffix
        for family in Metrics()._registry.collect()
        for suffix in SUFFIXES[family.type]
    }


def test_the_file_is_what_the_code_builds() -> None:
    assert build.FILE.read_text() == build.text(), "run: python -m tools.grafana.build"


def test_all_metrics_that_are_shown_exist(existing: set[str]) -> None:
    named = set(NAME.findall(build.FILE.read_text()))
    assert len(named) > 20
    assert named - existing == set()


def test_all_metrics_that_alerts_go_by_exist(existing: set[str]) -> None:
    named = {name for rule in rules().values() for name in NAME.findall(rule["expr"])}
    assert len(named) > 8, RULES
    assert named - existing == set()


def test_all_metrics_are_documented(existing: set[str], repository_root: Path) -> None:
    pages = ("reference/metrics.md", "guides/retrain.md")
    text = "".join((repository_root / "docs" / page).read_text() for page in pages)
    documented = set(re.findall(r"`((?:understudy|process|python)_[a-z_]+)`", text))
    bare = {re.sub("_(bucket|count|sum)$", "", name) for name in existing}
    assert bare - documented == set()
    assert documented - bare == set()


def test_prometheus_takes_its_queries(tmp_path: Path) -> None:
    file = tmp_path / "queries.yml"
    queries = [
        query.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$model", ".*")
        for query in build.queries()
    ]
    assert not [query for query in queries if "$" in query]
    # As recording rules, since promtool checks no bare queries.
    recorded = [{"record": f"q{n}", "expr": query} for n, query in enumerate(queries)]
    file.write_text(yaml.safe_dump({"groups": [{"name": "q", "rules": recorded}]}))
    assert f"SUCCESS: {len(queries)} rules found" in promtool("check", "rules", file)


def test_panels_lie_side_by_side_and_have_numbers_of_their_own() -> None:
    panels = json.loads(build.FILE.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    taken = set[tuple[int, int]]()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
