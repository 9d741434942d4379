"""Which curves over- and which underfit."""

import pytest

from training.overfitting.diagnosis import Curves, diagnose, diagnosis_to_json


def curves(name: str, train: list[float], held_out: list[float]) -> Curves:
    return Curves(name=name, description="", parameters=1, train=train, held_out=held_out)


GOOD = curves("good", [0.5, 0.3, 0.28], [0.5, 0.32, 0.3])
CASES = {
    "underfits": [
        curves("too small", [0.7, 0.6, 0.6], [0.7, 0.61, 0.62]),
        curves("too short", [0.7, 0.5, 0.4], [0.7, 0.52, 0.43]),
    ],
    "overfits": [
        curves("forgets", [0.5, 0.25, 0.1], [0.5, 0.31, 0.45]),
        curves("memorises", [0.5, 0.25, 0.1], [0.5, 0.33, 0.31]),
    ],
    "fits": [
        GOOD,
        curves("by chance a little worse", [0.5, 0.25, 0.24], [0.5, 0.3, 0.31]),
        curves("worse on both", [0.5, 0.25, 0.31], [0.5, 0.3, 0.36]),
    ],
}


@pytest.mark.parametrize(
    ("word", "network"), [(word, c) for word, cs in CASES.items() for c in cs], ids=str
)
def test_verdicts(word: str, network: Curves) -> None:
    assert diagnose([GOOD, network])[1].word == word


def test_a_network_is_measured_against_the_best_of_its_study() -> None:
    alone = CASES["underfits"][0]
    assert diagnose([alone])[0].word == "fits"


def test_why() -> None:
    short, forgets = CASES["underfits"][1], CASES["overfits"][0]
    _, first, second = diagnose([GOOD, short, forgets])
    assert first.why == (
        "0.4 even on its own data; the best network reaches 0.3 on data never seen; "
        "it was still getting better"
    )
    assert second.why == (
        "after epoch 2 the error on its own data fell from 0.25 to 0.1, "
        "the error on data never seen rose from 0.31 to 0.45 (+45%)"
    )


def test_figures() -> None:
    (figures,) = diagnosis_to_json([CASES["overfits"][0]])
    assert (figures["best_epoch"], figures["epochs"]) == (2, 3)
    assert figures["best"] == {"train": 0.25, "held_out": 0.31, "gap": pytest.approx(6 / 31)}
    assert figures["last"]["gap"] == pytest.approx(35 / 45)
