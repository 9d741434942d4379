"""Alerts: Prometheus' own checks, a case for and against each, and a runbook that fits."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.promtool import promtool

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = FOLDER / "rules.yml"
CASES = FOLDER / "rules_test.yml"
RUNBOOK = ROOT / "docs" / "guides" / "runbook.md"
PARTS = ["Meaning", "Users notice", "Look at", "Do"]


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_prometheus_takes_the_rules() -> None:
    assert f"SUCCESS: {len(rules())} rules found" in promtool("check", "rules", RULES)


def test_alerts_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", CASES)


def test_each_alert_has_a_case_for_and_one_against() -> None:
    found = defaultdict[str, set[bool]](set)
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for check in case["alert_rule_test"]:
            found[check["alertname"]].add(bool(check["exp_alerts"]))
    assert found == {alert: {True, False} for alert in rules()}


def test_alerts_and_runbook_fit() -> None:
    sections = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.M | re.S)
    assert [name for name, _ in sections] == list(rules())
    for name, text in sections:
        rule = rules()[name]
        assert rule["annotations"]["runbook_url"] == f"docs/guides/runbook.md#{name.lower()}"
        assert re.findall(r"^\*\*([\w ]+)\.\*\* ", text, re.M) == PARTS, name
        # The line below the heading says how urgent it is, and after how long it fires.
        first = text.strip().splitlines()[0]
        assert first.startswith(rule["labels"]["severity"]), name
        if rule.get("for", "").endswith("m") and "hours" not in first:
            minutes = int(rule["for"].removesuffix("m"))
            assert f"after {minutes} minute{'s' * (minutes > 1)}" in first, name


def test_the_documentation_lists_the_alerts() -> None:
    page = (RUNBOOK.parent / "monitor.md").read_text()
    listed = re.findall(r"^\| (Understudy\w+) \| (\w+) \|", page, re.M)
    assert listed == [(name, rule["labels"]["severity"]) for name, rule in rules().items()]


@pytest.mark.parametrize("alert", rules())
def test_an_alert_says_where_and_how_urgent(alert: str) -> None:
    rule = rules()[alert]
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    summary = rule["annotations"]["summary"]
    assert summary.endswith(".")
    assert "$labels.instance" in summary or "$labels.model" in summary
