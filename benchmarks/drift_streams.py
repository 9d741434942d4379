"""Streams of rows against a reference: how many rows go by until drift is noticed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from service.monitoring.drift.evidence_blocks import AVERAGE_RUN_LENGTH, BLOCK_ROWS, EvidenceBlocks
from service.repository.contract import Signature
from service.repository.golden_examples import Tensors
from service.repository.reference.binned_field import INPUTS
from service.repository.reference.reference_file import Reference
from service.repository.reference.reference_rows import describe_rows

MINIMUM_EFFECT = 0.1


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """Rows and their answers.

    Attributes:
        inputs: an array for each input, [N, ...].
        outputs: an array for each output, [N, ...].
    """

    inputs: Tensors
    outputs: Tensors

    def __len__(self) -> int:
        return len(next(iter(self.outputs.values())))

    def at(self, rows: np.ndarray) -> "AnsweredRows":
        """Return some of the rows, in the order of their places."""
        return AnsweredRows(
            {name: tensor[rows] for name, tensor in self.inputs.items()},
            {name: tensor[rows] for name, tensor in self.outputs.items()},
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one stream.

    Attributes:
        rows: how many there were until the alarm; ``None`` without one.
        evidence: the most that there was.
        strangest: the field with the most evidence at that time.
    """

    rows: int | None
    evidence: float
    strangest: str


def follow(reference: Reference, live: AnsweredRows) -> Outcome:
    """Compare a stream, in its order, block by block, until the alarm or its end."""
    blocks = EvidenceBlocks(reference, MINIMUM_EFFECT)
    totals = {field.name: np.zeros(len(field.counts)) for field in reference.fields}
    known = blocks.begin(totals, 0.0)
    most, strangest = 0.0, ""
    for start in range(0, len(live), BLOCK_ROWS):
        block = live.at(np.arange(start, min(start + BLOCK_ROWS, len(live))))
        totals = {
            field.name: totals[field.name]
            + field.count(block.inputs if field.side == INPUTS else block.outputs)
            for field in reference.fields
        }
        blocks.end(known, totals, 0.0)
        if known.evidence >= most:
            most = known.evidence
            strangest = max(known.fields, key=lambda name: known.fields[name].evidence)
        if known.evidence >= AVERAGE_RUN_LENGTH:
            return Outcome(start + len(block), most, strangest)
    return Outcome(None, most, strangest)


def undisturbed(
    signature: Signature, rows: AnsweredRows, *, reference_rows: int, streams: int, seed: int = 0
) -> list[Outcome]:
    """Divide rows at random into a reference and a stream, many times.

    Both are then samples of one source whatever the rows are, and no row is in a stream twice.

    Args:
        signature: of the rows.
        rows: all rows, at least one more than ``reference_rows``.
        reference_rows: how many make the reference.
        streams: how often they are divided.
        seed: of the divisions.
    """
    random = np.random.default_rng(seed)
    outcomes = []
    for _ in range(streams):
        order = random.permutation(len(rows))
        reference = reference_of(signature, rows.at(order[:reference_rows]))
        outcomes.append(follow(reference, rows.at(order[reference_rows:])))
    return outcomes


def reference_of(signature: Signature, rows: AnsweredRows) -> Reference:
    """Return the reference that rows make."""
    return describe_rows(
        signature, rows.inputs, rows.outputs, origin="held-out rows", held_out=True
    )


def answered_rows(
    predict: Callable[[str, Mapping[str, np.ndarray]], Tensors],
    signature: Signature,
    inputs: Tensors,
    part: int = 500,
) -> AnsweredRows:
    """Let a version answer rows."""
    count = len(next(iter(inputs.values())))
    parts = [
        predict(signature.name, {name: rows[start : start + part] for name, rows in inputs.items()})
        for start in range(0, count, part)
    ]
    outputs = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    return AnsweredRows(inputs, outputs)
