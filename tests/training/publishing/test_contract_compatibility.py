"""Whether callers of one version can go on with another."""

from dataclasses import replace
from typing import Any

import pytest

from service.repository.contract import Field, Signature
from training.publishing.contract_compatibility import broken_promises

X = Field(name="x", dtype="float32", shape=(None, 2), minimum=0, maximum=9, nullable=True)
T = Field(name="t", dtype="string", shape=(None,), choices=("a", "b"), max_length=5)
Y = Field(name="y", dtype="string", shape=(None,), choices=("no", "yes"))


def contract(x: Field | None = X, t: Field | None = T, y: Field | None = Y, *more: Field) -> Any:
    inputs = tuple(field for field in (x, t, *more) if field)
    return {"s": Signature("s", inputs, (y,) if y else ())}


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ({}, "signature 's' is gone"),
        (contract(x=None), "input 'x' of signature 's' is gone"),
        (contract(X, T, Y, replace(X, name="z")), "input 'z' of signature 's' is new"),
        (contract(y=None), "output 'y' of signature 's' is gone"),
        (contract(x=replace(X, shape=(None, 3))), "input 'x' of signature 's' is float32 [N, 3], and was float32 [N, 2]"),
        (contract(x=replace(X, minimum=1)), "input 'x' of signature 's' must be at least 1"),
        (contract(x=replace(X, maximum=8.5)), "input 'x' of signature 's' must be at most 8.5"),
        (contract(x=replace(X, nullable=False)), "input 'x' of signature 's' must not be null"),
        (contract(t=replace(T, choices=("a",))), "input 't' of signature 's' takes only a"),
        (contract(t=replace(T, max_length=4)), "input 't' of signature 's' takes 4 bytes at most"),
        (contract(y=replace(Y, choices=("nay", "yes"))), "output 'y' of signature 's' is one of nay, yes, and was one of no, yes"),
        (contract(y=replace(Y, choices=("yes", "no"))), "output 'y' of signature 's' is one of yes, no, and was one of no, yes"),
        (contract(y=replace(Y, shape=None)), "output 'y' of signature 's' is string of any shape, and was string [N]"),
    ],
)  # fmt: skip
def test_what_callers_would_miss_is_named(new: Any, problem: str) -> None:
    assert broken_promises(contract(), new) == [problem]


def test_callers_may_go_on_when_more_is_taken() -> None:
    wider = contract(
        x=replace(X, minimum=-1, maximum=None), t=replace(T, choices=(), max_length=None)
    )
    assert broken_promises(contract(), wider) == []
    assert broken_promises({}, contract()) == []
