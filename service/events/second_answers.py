"""What the other version of a rollout answers to stored requests, so that later truths judge both.

A request that the champion answered is answered again by the candidate, and the other way round,
on the same tensors. What both answered is a pair. A pair whose row is handed out as an audit counts
with the truth that somebody gives, and until then as one whose truth is not known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import orjson

from service.events import event_statements as statements
from service.events.database import Transaction
from service.events.event_records import AnsweredRequest, columns_of, row_of
from service.events.event_rows import times_of_rows
from service.repository.contract import DEFAULT_SIGNATURE, Signature
from service.repository.golden_examples import Tensors

_TABLE = "understudy_second_answers"
_COLUMNS = ("model", "rollout", "request_id", "version", "outputs")
_values = attrgetter(*_COLUMNS)


@dataclass(frozen=True, slots=True)
class SecondAnswer:
    """What the other version answered to a stored request.

    Attributes:
        model: the model's name.
        request_id: the request's id.
        answered_at: when the request was answered: of an id that came twice, the first is stored.
        rollout: the id of the rollout.
        version: the version that answered again.
        outputs: JSON, as an event has them. Without what either version's contract marks as
            sensitive.
    """

    model: str
    request_id: str
    answered_at: float
    rollout: str
    version: int
    outputs: str

    @property
    def size(self) -> int:
        """About how many bytes it takes in the store."""
        return len(self.outputs) + statements.SECOND_ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class AuditedPair:
    """What both versions answered to a row that was handed out as an audit, as JSON values.

    Attributes:
        champion: the champion's answer, by output.
        candidate: the candidate's.
        truth: what is true, by output; ``None`` while nobody has said so.
        weight: how many rows of all traffic the row stands for.
        signature: what was called.
    """

    champion: dict[str, Any]
    candidate: dict[str, Any]
    truth: dict[str, Any] | None
    weight: float
    signature: str = DEFAULT_SIGNATURE


def second_answer(
    request: AnsweredRequest, rollout: str, version: int, signature: Signature, outputs: Tensors
) -> SecondAnswer:
    """Return what is stored of a second answer.

    Args:
        request: the request, as the first version answered it.
        rollout: the rollout's id.
        version: the version that answered again.
        signature: its signature.
        outputs: its outputs.
    """
    sensitive = {field.name for field in request.signature.outputs if field.sensitive}
    fields = [field for field in signature.outputs if field.name not in sensitive]
    text = columns_of(signature, fields, outputs, request.instances)
    return SecondAnswer(
        request.model, request.request_id, request.answered_at, rollout, version, text
    )


def add_second_answers(run: Transaction, answers: Iterable[SecondAnswer]) -> None:
    """Store answers to requests that are rows; others' are passed over."""
    by_model: dict[str, list[SecondAnswer]] = {}
    for each in answers:
        by_model.setdefault(each.model, []).append(each)
    for model, of_model in by_model.items():
        times = times_of_rows(run, model, {each.request_id for each in of_model})
        rows = [
            _values(each) for each in of_model if times.get(each.request_id) == each.answered_at
        ]
        if rows:
            run.insert_new(_TABLE, _COLUMNS, rows)


def audited_pairs(run: Transaction, model: str, rollout: str, candidate: int) -> list[AuditedPair]:
    """Return the rows that both versions answered and that were handed out, in that order.

    Args:
        run: a transaction of the store.
        model: the model's name.
        rollout: the rollout's id.
        candidate: its version on trial.
    """
    found = []
    for signature, version, first, second, instances, instance, weight, truth in run.rows(
        statements.AUDITED_PAIRS, {"model": model, "rollout": rollout}
    ):
        answer, again = (row_of(each, int(instance), int(instances)) for each in (first, second))
        if version == candidate:
            answer, again = again, answer
        known = None if truth is None else orjson.loads(truth)
        found.append(AuditedPair(answer, again, known, float(weight), signature))
    return found
