"""The report: everything in one page, and nothing in it that a text could have smuggled in."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.model_card import Card
from training.evaluation import metrics
from training.evaluation.calibration import on_test_set
from training.evaluation.predictions import ClassificationPredictions, RegressionPredictions
from training.evaluation.probabilities import softmax
from training.publishing.gate_report import GateReport, GateResult
from training.reporting.report import Mistake, ReportData, write_report
from training.reporting.report.filters import name_of, shortened

EVIL = "<script>alert('&')</script>"
RANDOM = np.random.default_rng(0)


class Checked(HTMLParser):
    """Checks that every element that is opened is closed, and gathers what there is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def classified(count: int = 400) -> ClassificationPredictions:
    logits = RANDOM.normal(size=(count, 3)) * 2
    labels = (RANDOM.random((count, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1)
    return ClassificationPredictions(
        names=("shoe", EVIL, "bag"), labels=labels, probabilities=softmax(logits / 0.5)
    )


def report_data(
    answers: ClassificationPredictions | RegressionPredictions, **evaluated: Any
) -> ReportData:
    measured = (
        metrics.measure_classifier(answers)
        if isinstance(answers, ClassificationPredictions)
        else metrics.measure_estimator(answers)
    )
    card = Card(
        name="toy",
        title=f"Toys {EVIL}",
        task="classification",
        contract={},
        created_at="2026-01-01T00:00:00+00:00",
        description=EVIL,
        evaluation={**measured, **evaluated},
        training={"arch": "default", "best_epoch": 2, "git_commit": "abc", "gates": {}},
        data={"name": EVIL},
        libraries={"numpy": "2"},
    )
    return ReportData(
        settings={"seed": 1, "data": EVIL},
        history=[
            {"epoch": e, "loss": 1 / e, "val_loss": 2 / e, "accuracy": 0.5, "val_accuracy": 0.4, "seconds": 1.0}
            for e in (1.0, 2.0, 3.0)
        ],
        card=card,
        answers=answers,
        mistakes=[Mistake(shown=EVIL * 99, truth=EVIL, answer=EVIL)],
        gates=GateReport((GateResult(gate="golden", passed=False, sentence=EVIL),), 4),
        outcome="Published as version 5.",
    )  # fmt: skip


def written(folder: Path, told: ReportData) -> Checked:
    path = folder / "report.html"
    write_report(path, told)
    text = path.read_text()
    assert "http://" not in text
    assert "https://" not in text
    assert "Content-Security-Policy" in text
    return Checked(text)


def test_a_classifiers_report_has_all_its_parts_and_escapes_everything(tmp_path: Path) -> None:
    calibration = {"temperature": 0.5, "held_out": {"calibration_error_before": 0.1}}
    answers = classified()
    found = written(tmp_path, report_data(answers, calibration=on_test_set(answers, calibration)))
    assert "script" not in found.tags
    assert found.text.count(EVIL) > 10
    for part in (
        "Gates and the live version",
        "Compared with live version 4",
        "A gate refuses this version",
        "Configuration",
        "Learning curves",
        "Confusion matrix",
        "Calibration",
        "Worst mistakes",
        "Environment",
        "Test: calibration error before",
        "Published as version 5.",
    ):
        assert part in found.text
    assert len(found.sources) == 2
    assert all(source.startswith("data:image/svg+xml;base64,") for source in found.sources)


def test_an_estimators_report(tmp_path: Path) -> None:
    actual = RANDOM.uniform(10, 40, 60)
    predicted = actual + RANDOM.normal(0, 2, (3, 60))
    compared = {
        "how": "On the same folds.",
        "unit": "mi/gal",
        "models": {"forest": 9.5, "process": 9.0},
    }
    told = report_data(
        RegressionPredictions(unit="mi/gal", actual=actual, predicted=predicted),
        compared=compared,
        interval={"coverage": 0.9},
    )
    found = written(tmp_path, replace(told, mistakes=(), gates=GateReport((), None)))
    for part in ("Predicted against true", "Beside well-known models", "Prediction intervals", "There are none.", "There is no live version"):  # fmt: skip
        assert part in found.text
    assert found.text.index("this one") < found.text.index("process") < found.text.index("forest")


def test_the_same_run_gives_the_same_report(tmp_path: Path) -> None:
    told = report_data(classified())
    write_report(tmp_path / "one.html", told)
    write_report(tmp_path / "two.html", told)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_what_is_not_set_is_left_out(tmp_path: Path) -> None:
    told = report_data(classified())
    settings = {**told.settings, "init_from": None, "batch_size": 8}
    found = written(tmp_path, replace(told, settings=settings))
    assert "Init from" not in found.text
    assert "Batch size" in found.text


def test_a_picture_is_in_the_page(tmp_path: Path) -> None:
    shown = np.full((4, 4), 200, np.uint8)
    told = replace(
        report_data(classified()), mistakes=[Mistake(shown=shown, truth="a", answer="b")]
    )
    found = written(tmp_path, told)
    assert [s for s in found.sources if s.startswith("data:image/png;base64,iVBOR")]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("cross_validation.mae", "Cross validation: MAE"),
        ("learning_rate", "Learning rate"),
        ("Ankle boot", "Ankle boot"),
        ("", ""),
    ],
)
def test_keys_become_names(key: str, name: str) -> None:
    assert name_of(key) == name


def test_a_long_text_ends_after_a_word() -> None:
    assert shortened("word " * 200) == "word " * 119 + "word ..."
    assert shortened("x" * 700) == "x" * 600 + " ..."


def test_a_dark_screen_gets_a_dark_page(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", report_data(classified()))
    assert "(prefers-color-scheme: dark)" in (tmp_path / "report.html").read_text()
