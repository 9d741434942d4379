"""Whether a row's answer depends on that row alone, as a SavedModel's graph proves it.

The proof is conservative: what it does not know is not independent. It reads ``saved_model.pb``
alone and runs nothing, so that training, the service and tools share it.
"""

from service.repository.row_independence.proof import Proof, prove_independence
from service.repository.row_independence.verdict import (
    Declared,
    RowIndependence,
    decide,
    needs_proof,
    of_policy,
)

__all__ = [
    "Declared",
    "Proof",
    "RowIndependence",
    "decide",
    "needs_proof",
    "of_policy",
    "prove_independence",
]
