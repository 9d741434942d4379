"""What a servable knows of its rows, and what it does by it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Golden, GoldenExample, Tensors, write_golden
from service.repository.model_card import write_card
from service.runtime.row_independence_check import IndependenceCheck
from service.runtime.servable import Servable
from tests.lifecycles import load_servable
from tests.savedmodels.mixing import declare_mixing, save_mixing
from tests.savedmodels.saving import card


@pytest.fixture
def mixing(tmp_path: Path) -> Path:
    save_mixing(tmp_path / "1")
    return tmp_path / "1"


def run(servable: Servable, signature: str, **inputs: Any) -> dict[str, list[float]]:
    tensors = {name: np.array(values, np.float32) for name, values in inputs.items()}
    rows = next(iter(tensors.values())).shape[0]
    outputs = servable.run(servable.contract[signature], tensors, rows)
    return {name: tensor.tolist() for name, tensor in outputs.items()}


def test_the_graph_decides_where_nobody_declares(mixing: Path) -> None:
    servable = load_servable(mixing, most_rows=4)
    assert {name: each.holds for name, each in servable.independence.items()} == {
        "apart": False,
        "crossed": True,
        "nested": True,
        "ordered": True,
        "picky": False,
        "product": True,
        "running": False,
        "separate": True,
        "serving_default": False,
        "twice": True,
    }
    assert run(servable, "running", x=[1] * 9) == {"total": list(range(1, 10))}
    assert run(servable, "twice", x=range(9)) == {"twice": [2 * x for x in range(9)]}


def test_the_card_declares_and_the_model_takes_it_back(mixing: Path) -> None:
    declare_mixing(mixing, running=True, twice=False)
    servable = load_servable(mixing, most_rows=4)
    assert servable.independence["running"].source == "card"
    assert servable.independence["running"].holds
    assert not servable.independence["twice"].holds
    servable.check_rows()
    assert servable.independence["running"].source == "check"
    assert not servable.independence["running"].holds
    assert run(servable, "running", x=[1] * 9) == {"total": list(range(1, 10))}


def test_a_check_never_grants(mixing: Path) -> None:
    declare_mixing(mixing, twice=False)
    servable = load_servable(mixing, most_rows=4)
    servable.check_rows()
    assert not servable.independence["twice"].holds


def test_clear_golden_rows_do_not_hide_what_others_show() -> None:
    """A classifier is as sure of them whatever stands beside them."""

    def sure(inputs: Tensors) -> Tensors:
        x = inputs["x"]
        return {"y": 1 / (1 + np.exp(-10 * (x - x.mean() / 10)))}

    field = Field(name="x", dtype="float32", shape=(None,), minimum=-1, maximum=1)
    signature = Signature("s", (field,), (Field(name="y", dtype="float32", shape=(None,)),))
    clear = {"s": {"x": np.array([-1.0, 1.0], np.float32)}}
    check = IndependenceCheck(clear, absolute=1e-3, relative=1e-3)
    assert check.revokes(signature, sure) == "rows sent together get a different 'y' than alone"


def test_the_policy_is_followed_while_the_version_serves(mixing: Path) -> None:
    servable = load_servable(mixing, most_rows=4)
    servable.declare_rows({"twice": False, "running": True})
    assert servable.independence["twice"].source == "policy"
    assert not servable.contract["twice"].rows_independent
    # In parts of four rows, as the policy wants it.
    assert run(servable, "running", x=[1] * 5) == {"total": [1, 2, 3, 4, 1]}
    servable.declare_rows(None)
    assert servable.independence["twice"].source == "graph"
    assert run(servable, "running", x=[1] * 5) == {"total": [1, 2, 3, 4, 5]}


def test_golden_examples_are_asked_one_by_one_where_rows_depend(mixing: Path) -> None:
    examples = [
        GoldenExample("running", {"x": float(x)}, {"total": float(x)}) for x in (1.0, 2.0, 3.0)
    ]
    write_golden(mixing, Golden(examples))
    servable = load_servable(mixing, most_rows=4)
    servable.warm_up()
    servable.prove()


def test_a_card_promises_rows_of_all_inputs_together(mixing: Path) -> None:
    assert not load_servable(mixing, most_rows=4).contract["separate"].needs_equal_rows
    a, b = (Field(name=name, dtype="float32", shape=(None,)) for name in "ab")
    write_card(mixing, card("m", {"separate": Signature("separate", (a, b), (a, b))}))
    signature = load_servable(mixing, most_rows=4).contract["separate"]
    assert signature.rows_independent
    assert signature.needs_equal_rows


def test_a_policy_alone_shows_no_inputs_apart(mixing: Path) -> None:
    servable = load_servable(mixing, most_rows=4)
    servable.declare_rows(True)
    assert servable.contract["apart"].needs_equal_rows
    assert not servable.contract["separate"].needs_equal_rows


def test_inputs_apart_from_each_other_may_have_unequal_rows(mixing: Path) -> None:
    servable = load_servable(mixing, most_rows=4)
    assert not servable.contract["apart"].needs_equal_rows
    assert servable.contract["product"].needs_equal_rows
    assert run(servable, "apart", a=[1], b=[1, 2]) == {"a": [1], "b": [1, 3]}


def test_an_unreadable_graph_costs_no_version(
    mixing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("service.repository.row_independence.proof.parse_saved_model", fail)
    servable = load_servable(mixing, most_rows=4)
    assert not any(each.holds for each in servable.independence.values())
    assert run(servable, "twice", x=[1]) == {"twice": [2]}
