"""What counts of all that is said of a signature's rows.

A person's word in policy.json counts first, then the card's, then what the graph proves. What the
model itself shows can take the last two back, and grants nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.repository.contract import Contract, Signature
from service.repository.row_independence.proof import Proof

# What a policy may say: of all signatures, of some by name, or nothing.
Declared = bool | Mapping[str, bool] | None

_NOT_PROVED = Proof(False, "The graph could not be read.")


@dataclass(frozen=True, slots=True)
class RowIndependence:
    """What is known of one signature.

    Attributes:
        holds: whether rows are independent.
        source: who says so: "contract" (there are no rows), "policy", "card", "graph", or "check"
            (the model showed that it is not so).
        reason: why, in a sentence.
    """

    holds: bool
    source: str
    reason: str

    def to_json(self) -> dict[str, bool | str]:
        return {"rows_independent": self.holds, "source": self.source, "reason": self.reason}


def decide(
    signature: Signature, proof: Proof | None, revoked: str, declared: Declared
) -> RowIndependence:
    """Return what counts of all that is said of a signature.

    Args:
        signature: as the card or the graph describes it.
        proof: what its graph says.
        revoked: how the model showed that rows depend on one another; empty where it did not.
        declared: what the model's policy says.
    """
    if not signature.has_rows:
        return RowIndependence(
            False, "contract", "Not all inputs and outputs have a free first dimension for rows."
        )
    word = of_policy(signature.name, declared)
    if word is not None:
        reason = f"policy.json says so{f', but {revoked}' if word and revoked else ''}."
        return RowIndependence(word, "policy", reason)
    if signature.rows_independent is False:
        return RowIndependence(False, "card", "The card says so.")
    if revoked:
        return RowIndependence(False, "check", f"Tried out, {revoked}.")
    if signature.rows_independent:
        return RowIndependence(True, "card", "The card says so.")
    proof = proof or _NOT_PROVED
    return RowIndependence(proof.holds, "graph", proof.reason)


def of_policy(name: str, declared: Declared) -> bool | None:
    """Return what a policy says of the signature of that name; ``None`` where it says nothing."""
    return declared.get(name) if isinstance(declared, Mapping) else declared


def needs_proof(contract: Contract) -> bool:
    """Whether a signature's card leaves the question to the graph."""
    return any(s.has_rows and s.rows_independent is None for s in contract.values())
