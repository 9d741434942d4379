"""What held-out rows look like, and how the export answers them; the service compares live rows."""

import numpy as np

from service.repository.contract import Contract
from service.repository.reference.reference_file import Reference
from service.repository.reference.reference_rows import describe_rows
from training.array_types import Array, Predict
from training.tasks.task_interface import ReferenceRows

# Below these many rows hardly any change could be distinguished from chance.
_FEWEST = 100
# More would show changes that are too small to matter.
_MOST = 5_000
# Rows that go through a graph at once.
_PART = 500


def answered_reference(
    predict: Predict, contract: Contract, rows: ReferenceRows | None
) -> Reference | None:
    """Let the export answer rows, at most 5,000 from all parts, and say what they look like.

    Returns:
        the reference; ``None`` where there are fewer than 100 rows, where a row's answer depends on
        the rows beside it, or where the signature has no rows.
    """
    if rows is None or contract[rows.signature].rows_independent is False:
        return None
    if not contract[rows.signature].has_rows:
        return None
    count = len(next(iter(rows.inputs.values())))
    if count < _FEWEST:
        return None
    chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST)).round().astype(np.int64))
    signature = contract[rows.signature]
    inputs: dict[str, Array] = {
        field.name: np.asarray(rows.inputs[field.name][chosen], field.numpy_type)
        for field in signature.inputs
    }
    parts = []
    for start in range(0, len(chosen), _PART):
        part = {name: tensor[start : start + _PART] for name, tensor in inputs.items()}
        parts.append(predict(signature.name, part))
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return describe_rows(
        signature,
        inputs,
        outputs,
        origin=rows.origin,
        held_out=rows.held_out,
        calibrated=rows.calibrated,
    )
