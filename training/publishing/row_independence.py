"""Checks whether an export's rows are independent, on golden examples and varied rows.

The service runs requests together where the card says so. A version whose rows depend on one
another is published anyway, with the declaration that they do: it is not wrong, only slower
to serve, because each of its requests then runs alone and whole.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from service.repository.contract import Contract, Signature
from service.repository.golden_examples import (
    Golden,
    GoldenExample,
    Tensors,
    batch_of,
    examples_by_signature,
)
from service.repository.row_dependence_probe import neighbours_matter, varied_rows
from training.array_types import Array, Predict
from training.console.progress import say
from training.errors import UnansweredError

# Of golden examples that are asked: each alone, and all of them together in several ways.
_MOST = 16
# Of rows that are made up.
_VARIED = 4


def declare_independence(predict: Predict, contract: Contract, golden: Golden) -> Contract:
    """Return the contract with what golden examples and varied rows show of its rows.

    A signature that already says so itself, has no rows, or has only one example, is left as it
    is: a single row shows nothing, and the service then looks at the graph.
    """
    declared = dict(contract)
    for signature, examples in examples_by_signature(golden, contract):
        if signature.rows_independent is not None or not signature.has_rows or len(examples) < 2:
            continue
        reason = _reason(predict, signature, examples[:_MOST], golden)
        if reason:
            say(f"signature {signature.name!r}: rows are not independent; {reason}")
        declared[signature.name] = replace(signature, rows_independent=not reason)
    return declared


def _reason(
    predict: Predict, signature: Signature, examples: Sequence[GoldenExample], golden: Golden
) -> str:
    check = partial(
        neighbours_matter,
        partial(_run, predict, signature.name),
        absolute=golden.absolute,
        relative=golden.relative,
    )
    try:
        reason = check(batch_of(signature, examples))
    # Rows of different shapes, which no batch can hold, or a graph that takes one row at a time.
    except (ValueError, UnansweredError) as error:
        return f"they cannot be asked together ({error})"
    # Golden examples may be clear cases, whose answers hardly change with their neighbours.
    varied = varied_rows(signature, _VARIED)
    if reason or varied is None:
        return reason
    # A network may refuse made-up rows; that says nothing of independence.
    with contextlib.suppress(Exception):
        return check(varied)
    return ""


def _run(predict: Predict, name: str, inputs: Tensors) -> dict[str, Array]:
    return predict(name, inputs)
