"""From a SavedModel's signatures to what is proved of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Mixed,
    Tensor,
    rows_of,
)
from service.repository.row_independence.graph import Graph, shape_of
from service.repository.row_independence.input_interaction import inputs_meet
from service.repository.row_independence.interpreter import Interpreter, TooLargeError
from service.repository.row_independence.saved_model_protos import parse_saved_model
from service.repository.row_independence.shared_state import changing_signature, uses_of
from service.repository.row_independence.symbolic_sizes import ROWS
from service.repository.safe_open import read_file

SAVED_MODEL = "saved_model.pb"
# Python does nothing else while protobuf parses a graph: 64 MiB take from a twentieth of a second,
# if they are constants, to half a second, if they are more operations than are followed at all.
MOST_BYTES = 64 * 2**20
_SERVING = "serve"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the graph says of a signature.

    Attributes:
        holds: whether each row of the outputs is proved to depend on that row of the inputs alone.
        reason: how it was proved, or the first obstacle, in a sentence.
        inputs_apart: whether it holds, and no operation depends on two of the inputs.
    """

    holds: bool
    reason: str
    inputs_apart: bool = False


class _Alike(Mapping[str, Proof]):
    """The same for all signatures, whose names nobody has read."""

    def __init__(self, proof: Proof) -> None:
        self._proof = proof

    def __getitem__(self, name: str) -> Proof:
        return self._proof

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def prove_independence(directory: Path) -> Mapping[str, Proof]:
    """Analyse the signatures of the SavedModel in ``directory``, by name.

    It never fails: what cannot be read or followed, or is larger than ``MOST_BYTES``, is not
    proved.
    """
    try:
        if (directory / SAVED_MODEL).stat().st_size > MOST_BYTES:
            reason = f"The graph is too large to be analysed: more than {MOST_BYTES} bytes."
            return _Alike(Proof(False, reason))
        saved = parse_saved_model(read_file(directory / SAVED_MODEL, most_bytes=MOST_BYTES))
        meta = next((m for m in saved.meta_graphs if _SERVING in m.meta_info_def.tags), None)
        if meta is None:
            return {}
        graph = Graph(meta.graph_def)
        proofs = {name: _prove(graph, each) for name, each in meta.signature_def.items()}
        return _without_changing_state(graph, meta.signature_def, proofs)
    except Exception:  # a broken file is the loader's to report
        return {}


def _without_changing_state(
    graph: Graph, signatures: Mapping[str, Any], proofs: Mapping[str, Proof]
) -> Mapping[str, Proof]:
    """Take back what is proved of signatures whose state may change between parts of a request."""
    if not any(proof.holds for proof in proofs.values()):
        return proofs
    uses = uses_of(graph, signatures)
    result = dict(proofs)
    for name, proof in proofs.items():
        other = changing_signature(name, uses) if proof.holds else None
        if other is not None:
            reason = f"It uses a variable or a table that signature {other!r} may change."
            result[name] = Proof(False, reason)
    return result


def _prove(graph: Graph, signature: Any) -> Proof:
    try:
        return _proof(graph, signature)
    except TooLargeError as error:
        return Proof(False, f"The graph was not followed to its end: {error}.")
    except Exception as error:  # an analysis that fails must never cost a version
        return Proof(False, f"The graph could not be followed ({type(error).__name__}).")


def _proof(graph: Graph, signature: Any) -> Proof:
    arguments: dict[str, AbstractValue] = {}
    for name, info in sorted(signature.inputs.items()):
        shape = shape_of(info.tensor_shape) if info.HasField("tensor_shape") else None
        if not shape or shape[0].known is not None:
            return Proof(False, f"Input {name!r} has no free first dimension for rows.")
        node, _, output = info.name.partition(":")
        if output not in ("", "0"):
            return Proof(False, f"Input {name!r} is not fed by a placeholder.")
        arguments[node] = rows_of(shape)
    if not arguments:
        return Proof(False, "It has no inputs.")
    interpreter = Interpreter(graph)
    names = sorted(signature.outputs)
    found = interpreter.run([signature.outputs[name].name for name in names], arguments)
    for name, value in zip(names, found, strict=True):
        problem = _problem(value)
        if problem:
            return Proof(False, f"Output {name!r}: {problem}")
    outputs = [signature.outputs[name].name for name in names]
    # Inputs that are fed alike are one.
    apart = len(arguments) == len(signature.inputs) and not inputs_meet(graph, outputs, arguments)
    reason = f"Each of {interpreter.steps} operations keeps rows apart."
    return Proof(True, reason, inputs_apart=apart)


def _problem(value: AbstractValue) -> str:
    match value:
        case Mixed(reason=reason):
            return reason
        case Tensor(axis=0, shape=(first, *_)) if first == ROWS:
            return ""
        case Tensor(axis=None):
            return "It does not depend on the inputs, so it has no row for each of theirs."
        case Tensor():
            return "Its rows do not lie along its first dimension alone."
    return "It describes all rows together, such as their number."
