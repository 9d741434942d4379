"""What a servable knows of its signatures: whether each row's answer depends on that row alone.

Only then may requests run together, or a large one in parts. A person's word in policy.json
counts first, then the card's, then what the graph proves. What the model itself shows can take
the last two back, and grants nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import ServiceError
from service.repository.contract import Contract, Signature
from service.repository.golden import Tensors
from service.repository.independence import Proof
from service.repository.rowcheck import Run, neighbours_matter, varied_rows

# What a policy may say: of all signatures, of some by name, or nothing.
Declared = bool | Mapping[str, bool] | None

# Each is asked alone, and all of them together in several ways.
_CHECKED_ROWS = 4

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
    if isinstance(declared, Mapping):
        declared = declared.get(signature.name)
    if declared is not None:
        reason = f"policy.json says so{f', but {revoked}' if declared and revoked else ''}."
        return RowIndependence(declared, "policy", reason)
    if signature.rows_independent is False:
        return RowIndependence(False, "card", "The card says so.")
    if revoked:
        return RowIndependence(False, "check", f"Tried out, {revoked}.")
    if signature.rows_independent:
        return RowIndependence(True, "card", "The card says so.")
    proof = proof or _NOT_PROVED
    return RowIndependence(proof.holds, "graph", proof.reason)


def needs_proof(contract: Contract) -> bool:
    """Whether a signature's card leaves the question to the graph."""
    return any(s.has_rows and s.rows_independent is None for s in contract.values())


class IndependenceCheck:
    """The second guard: a model asked about rows alone, together and among others."""

    def __init__(self, golden: Mapping[str, Tensors], *, absolute: float, relative: float) -> None:
        """Prepare.

        Args:
            golden: golden inputs by signature, where there are any.
            absolute: with ``relative``, how closely numbers must agree.
            relative: see there.
        """
        self._golden = golden
        self._absolute = absolute
        self._relative = relative

    def revokes(self, signature: Signature, run: Run) -> str:
        """Say how a signature shows that its rows depend on one another; empty if it does not.

        That it refuses what it is asked says nothing.
        """
        golden = self._golden.get(signature.name, {})
        inputs: Tensors | None = {name: t[:_CHECKED_ROWS] for name, t in golden.items()}
        if not inputs or next(iter(inputs.values())).shape[0] < 2:
            inputs = varied_rows(signature, _CHECKED_ROWS)
        if inputs is None:
            return ""
        try:
            return neighbours_matter(run, inputs, absolute=self._absolute, relative=self._relative)
        except ServiceError:
            return ""
