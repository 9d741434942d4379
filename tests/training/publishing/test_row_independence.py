"""What the card says of an export's rows, and the command that tells it of any SavedModel."""

from pathlib import Path

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Golden, GoldenExample, Tensors
from tests.savedmodels.mixing import save_mixing
from training.errors import UnansweredError
from training.publishing.row_independence import declare_independence
from understudy import cli

X = Field(name="x", dtype="float32", shape=(None,))
Y = Field(name="y", dtype="float32", shape=(None,))
CONTRACT = {name: Signature(name, (X,), (Y,)) for name in ("keeps", "mixes", "lone")}
EXAMPLES = [
    GoldenExample(name, {"x": x}, {"y": x})
    for name, values in {"keeps": (1.0, 2.0), "mixes": (1.0, 2.0), "lone": (1.0,)}.items()
    for x in values
]


def predict(signature: str, inputs: Tensors) -> Tensors:
    return {"y": np.cumsum(inputs["x"]) if signature == "mixes" else inputs["x"]}


def test_the_card_says_what_the_golden_examples_show(capsys: pytest.CaptureFixture[str]) -> None:
    declared = declare_independence(predict, CONTRACT, Golden(EXAMPLES))
    assert {name: each.rows_independent for name, each in declared.items()} == {
        "keeps": True,
        "mixes": False,
        "lone": None,
    }
    assert "signature 'mixes': rows are not independent; rows sent together" in (
        capsys.readouterr().out
    )


def test_clear_golden_examples_do_not_hide_what_varied_rows_show() -> None:
    def saturated(signature: str, inputs: Tensors) -> Tensors:
        x = inputs["x"]
        if signature == "mixes":
            x = x - 0.1 * x.mean()
        return {"y": np.clip(1.5 * x, -1, 1).astype(np.float32)}

    declared = declare_independence(saturated, CONTRACT, Golden(EXAMPLES))
    assert declared["keeps"].rows_independent is True
    assert declared["mixes"].rows_independent is False


def test_a_graph_that_takes_one_row_at_a_time_is_not_independent() -> None:
    def lonely(signature: str, inputs: Tensors) -> Tensors:
        if len(inputs["x"]) > 1:
            raise UnansweredError("It takes one row.")
        return predict(signature, inputs)

    declared = declare_independence(lonely, CONTRACT, Golden(EXAMPLES))
    assert declared["keeps"].rows_independent is False


def test_what_refuses_varied_rows_is_known_by_its_golden_examples() -> None:
    def picky(signature: str, inputs: Tensors) -> Tensors:
        if not np.isin(inputs["x"], (1.0, 2.0)).all():
            raise RuntimeError("I know only 1 and 2.")
        return predict(signature, inputs)

    declared = declare_independence(picky, CONTRACT, Golden(EXAMPLES))
    assert declared["keeps"].rows_independent is True
    assert declared["mixes"].rows_independent is False


def test_inspect_says_which_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_mixing(tmp_path / "1")
    assert cli.main(["inspect", str(tmp_path / "1")]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["twice"].split()[1:3] == ["yes", "graph"]
    assert lines["running"].split()[1:3] == ["no", "graph"]
    assert "Operation Cumsum runs along the rows." in lines["running"]


def test_inspect_needs_a_savedmodel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(tmp_path)]) == 2
    assert "holds no SavedModel that can be read." in capsys.readouterr().err
