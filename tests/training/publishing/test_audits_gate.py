"""A version is judged by audits that neither version has learned from."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.errors import RepositoryError
from service.repository.model_card import Card
from training.array_types import Predict
from training.data.feedback.car_rows import CarRows
from training.data.feedback.merging import Audited
from training.data.feedback.row_form import Row
from training.data.feedback.text_rows import TextRows
from training.errors import TrainingError
from training.publishing import saved_model_export
from training.publishing.audits_gate import LEAST, run_audits_gate
from training.publishing.gate_report import GateResult
from training.publishing.learned_feedback import LEARNED, write_learned
from training.publishing.live_version import LiveVersion

CARD = Card(name="m", title="M", task="classification", contract={}, created_at="")
Judge = Callable[..., GateResult]


def audits(count: int, weight: float = 1.0, first: int = 0) -> list[Audited]:
    return [
        Audited(Row(key=f"key {n}", value=b"%d" % n, target="yes"), weight)
        for n in range(first, first + count)
    ]


def wrong_below(limit: int) -> Predict:
    """Return a version that answers wrongly where the text is a number below a limit."""

    def predict(signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        answers = [b"no" if int(text) < limit else b"yes" for text in inputs["text"]]
        return {"label": np.array(answers, object)}

    return predict


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    def run(held: list[Audited], *, new: int, live: int, comparable: bool = True) -> GateResult:
        monkeypatch.setattr(saved_model_export, "open_saved_model", lambda _: wrong_below(live))
        incumbent = LiveVersion(4, tmp_path, CARD, None)
        return run_audits_gate(TextRows(), held, wrong_below(new), incumbent, comparable)

    return run


def test_a_worse_version_is_refused_with_the_numbers(judge: Judge) -> None:
    found = judge(audits(100), new=20, live=10)
    assert not found.passed
    assert found.sentence.startswith(
        "Worse than live version 4 on 100 audits of the last week that neither learned from: "
        "error rate 0.2000 instead of 0.1000 (difference +0.1000, 90 % interval +0.0"
    )
    # Ten coins that all fell on one side.
    assert found.figures["p"] == pytest.approx(2**-10, abs=0.002)


def test_equal_and_better_ones_pass(judge: Judge) -> None:
    equal = judge(audits(100), new=10, live=10)
    assert (equal.passed, equal.figures["p"]) == (True, 1.0)
    better = judge(audits(100), new=0, live=10)
    assert better.passed
    assert better.sentence.startswith("Not shown to be worse than live version 4")


def test_two_more_mistakes_may_be_chance(judge: Judge) -> None:
    assert judge(audits(100), new=12, live=10).passed


def test_audits_weigh_what_they_stand_for(judge: Judge) -> None:
    held = [*audits(10, weight=9.0), *audits(90, weight=1.0, first=10)]
    found = judge(held, new=10, live=0)
    assert found.figures["new"] == pytest.approx(0.5)
    assert not found.passed


def test_too_few_audits_neither_block_nor_claim(judge: Judge) -> None:
    found = judge(audits(LEAST - 1), new=40, live=0)
    assert found.passed
    assert found.sentence == (
        "49 audits of the last week that neither version learned from; at least 50 are needed to "
        "compare with live version 4. Nothing is claimed."
    )
    assert found.figures == {"audits": 49}
    assert judge([], new=0, live=0).figures == {"audits": 0}


def test_what_the_live_version_has_learned_is_left_out(judge: Judge, tmp_path: Path) -> None:
    write_learned(tmp_path, [audit.row.key for audit in audits(40)])
    found = judge(audits(100), new=0, live=50)
    assert (found.figures["audits"], found.figures["left_out"]) == (60, 40)
    assert found.figures["live"] == pytest.approx(10 / 60)
    assert "Nothing is claimed" in judge(audits(80), new=80, live=0).sentence


def test_versions_that_cannot_be_compared(judge: Judge) -> None:
    found = judge(audits(100), new=99, live=0, comparable=False)
    assert found.passed
    assert found.sentence == ("Not compared with live version 4 on audits: their contracts differ.")


def test_a_damaged_list_is_said(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / LEARNED).parent.mkdir()
    (tmp_path / LEARNED).write_text('{"format": 2}')
    with pytest.raises(RepositoryError, match=r"learned_feedback\.json is not a file of format 1"):
        judge(audits(100), new=0, live=0)


def test_an_answer_that_is_no_number_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    car = ([np.float32(1)] * 6, "usa")
    held = [Audited(Row(key=f"{n}", value=car, target=20.0), 1.0) for n in range(60)]

    def answering(*odd: float) -> Predict:
        return lambda signature, inputs: {"mpg": np.array([*odd, *[21.0] * (60 - len(odd))])}

    def judged(new: Predict, live: Predict) -> GateResult:
        monkeypatch.setattr(saved_model_export, "open_saved_model", lambda _: live)
        return run_audits_gate(CarRows(), held, new, LiveVersion(4, tmp_path, CARD, None), True)

    found = judged(answering(np.nan, np.nan), answering())
    assert not found.passed
    assert found.sentence == "2 of 60 audits of the last week are answered with no number."
    found = judged(answering(), answering(np.nan))
    assert found.passed
    assert (found.figures["live"], found.figures["metric"]) == (pytest.approx(1.0), "MAE")


def test_a_live_version_that_cannot_be_loaded_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> Predict:
        raise TrainingError("It is gone.")

    monkeypatch.setattr(saved_model_export, "open_saved_model", fail)
    incumbent = LiveVersion(4, tmp_path, CARD, None)
    found = run_audits_gate(TextRows(), audits(60), wrong_below(0), incumbent, True)
    assert not found.passed
    assert found.sentence == "Cannot be compared with live version 4 on audits: It is gone."
