import pytest

from service.repository.contract import Field, Signature
from service.repository.row_independence import Proof, decide

X = Field(name="x", dtype="float32", shape=(None,))
SCALAR = Field(name="s", dtype="float32", shape=())
PROVED, NOT_PROVED = Proof(True, "Proved."), Proof(False, "Operation Sum reduces over the rows.")


def signature(declared: bool | None = None) -> Signature:
    return Signature("s", (X,), (X,), declared)


@pytest.mark.parametrize(
    ("declared", "proof", "revoked", "policy", "holds", "source"),
    [
        (None, PROVED, "", None, True, "graph"),
        (None, NOT_PROVED, "", None, False, "graph"),
        (None, None, "", None, False, "graph"),
        (True, None, "", None, True, "card"),
        (False, PROVED, "", None, False, "card"),
        (None, PROVED, "it showed", None, False, "check"),
        (True, None, "it showed", None, False, "check"),
        (False, PROVED, "", True, True, "policy"),
        (True, PROVED, "", False, False, "policy"),
        (None, NOT_PROVED, "it showed", True, True, "policy"),
        (None, NOT_PROVED, "", {"s": True}, True, "policy"),
        (None, NOT_PROVED, "", {"other": True}, False, "graph"),
        (True, None, "", {"s": False}, False, "policy"),
    ],
)
def test_the_policy_counts_before_the_card_and_the_card_before_the_graph(
    declared: bool | None,
    proof: Proof | None,
    revoked: str,
    policy: bool | dict[str, bool] | None,
    holds: bool,
    source: str,
) -> None:
    verdict = decide(signature(declared), proof, revoked, policy)
    assert (verdict.holds, verdict.source) == (holds, source)
    assert verdict.reason.endswith(".")


@pytest.mark.parametrize("fields", [((SCALAR,), (X,)), ((X,), (SCALAR,)), ((), (X,))])
def test_what_has_no_rows_has_no_independent_ones(fields: tuple[tuple[Field, ...], ...]) -> None:
    verdict = decide(Signature("s", *fields), PROVED, "", True)
    assert (verdict.holds, verdict.source) == (False, "contract")
