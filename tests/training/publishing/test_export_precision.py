"""Exports that are measured, proved and published in bfloat16."""

from pathlib import Path

import numpy as np
import pytest

from service.repository.contract import Contract, Field, Signature
from service.repository.golden_examples import Golden, GoldenExample
from service.repository.precision import Precision, why_not_here
from tests.savedmodels.saving import save
from tests.savedmodels.wide import Wide, some_rows, wide_card
from training.errors import TrainingError
from training.publishing import saved_model_export
from training.publishing.export_precision import alike_in_both
from understudy.cli import main

LABELLED: Contract = {
    "s": Signature(
        "s",
        inputs=(Field(name="x", dtype="float32", shape=(None,)),),
        outputs=(
            Field(name="p", dtype="float32", shape=(None, 2)),
            Field(name="label", dtype="string", shape=(None,)),
        ),
    )
}


def example(x: float, p: list[float], label: str) -> GoldenExample:
    return GoldenExample("s", {"x": x}, {"p": p, "label": label})


def in_float32(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Answers x and 1 - x, and which of them is larger."""
    x = float(inputs["x"][0])
    return {
        "p": np.array([[x, 1 - x]], np.float32),
        "label": np.array([b"a" if x > 0.5 else b"b"], object),
    }


def test_the_tolerance_is_twice_what_the_examples_show() -> None:
    golden = Golden([example(0.9, [0.91, 0.09], "a"), example(0.2, [0.2, 0.8], "b")], 1e-3, 1e-3)
    both = alike_in_both(golden, LABELLED, in_float32)
    assert both.examples == golden.examples
    # |0.91 - 0.9| = t + 0.91 t, and |0.09 - 0.1| = t + 0.09 t: the larger t counts.
    assert both.absolute == both.relative == pytest.approx(2 * 0.01 / 1.09, rel=1e-3)


def test_the_tolerance_is_a_rounding_at_least_and_never_shrinks() -> None:
    golden = Golden([example(0.9, [0.9, 0.1], "a")], 1e-3, 2e-2)
    both = alike_in_both(golden, LABELLED, in_float32)
    assert (both.absolute, both.relative) == (2**-8, 2e-2)


def test_an_example_with_another_label_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    golden = Golden([example(0.9, [0.9, 0.1], "a"), example(0.51, [0.49, 0.51], "b")])
    assert alike_in_both(golden, LABELLED, in_float32).examples == golden.examples[:1]
    assert "1 golden examples are left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("examples", "reason"),
    [
        ([example(0.51, [0.49, 0.51], "b")], "No golden example of 's'"),
        ([example(0.9, [0.6, 0.4], "a")], r"differ by 0\.2"),
        ([example(0.9, [float("nan"), 0.1], "a")], "No golden example of 's'"),
    ],
)
def test_answers_that_are_too_different_are_refused(
    examples: list[GoldenExample], reason: str
) -> None:
    with pytest.raises(TrainingError, match=reason):
        alike_in_both(Golden(examples), LABELLED, in_float32)


@pytest.mark.skipif(bool(why_not_here(Precision.BF16)), reason=why_not_here(Precision.BF16))
def test_an_export_is_called_in_the_precision_of_its_card(tmp_path: Path) -> None:
    save(tmp_path, wide := Wide(), serving_default=wide.serve)
    rows = some_rows()
    error = {}
    for each in Precision:
        saved_model_export.finish(
            tmp_path, wide_card(each), Golden([GoldenExample("serving_default", {}, {})])
        )
        answers = saved_model_export.open_saved_model(tmp_path)("serving_default", {"x": rows})
        error[each] = np.abs(answers["y"] - wide.exactly(rows)).max()
    assert error[Precision.FLOAT32] < 1e-3 < error[Precision.BF16] < 1
    # What was turned on for one call is off for all else.
    after = saved_model_export.open_saved_model(tmp_path, Precision.FLOAT32)(
        "serving_default", {"x": rows}
    )
    assert np.abs(after["y"] - wide.exactly(rows)).max() < 1e-3


@pytest.mark.parametrize(
    ("model", "reason"),
    [("mpg", "mpg cannot be measured in it"), ("clothing", "cannot be measured here")],
)
def test_a_precision_that_cannot_be_measured_is_refused_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert main(["train", model, "--precision", "bf16", "--out", "models"]) == 2
    assert reason in capsys.readouterr().err
    assert not list(Path("runs").glob("*/*"))
