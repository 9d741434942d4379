"""Truths that are sent for stored predictions, checked by the contract, in words."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from service.api.validation.error_messages import shorten
from service.api.validation.problems import (
    Index,
    InvalidValueError,
    Problems,
    brackets,
    name_in_path,
)
from service.api.validation.tensors import to_tensor
from service.errors import NotFoundError
from service.events.event_records import EventRecord
from service.events.feedback_records import Source, Truth
from service.repository.contract import Contract, Field, Signature
from service.repository.json_files import shown

# Of one request.
MOST_TRUTHS = 1000
_KEYS = frozenset(("id", "row", "truth", "source"))
_MOST_ID = 128
# No request has as many rows.
_MOST_ROW = 2**31 - 1
_TRUTH_VALUES = {"true": True, "false": False}
_EXPECTED = (
    'Expected an object with "id", "truth", and optionally "row" (0 unless given) and "source" '
    '("user" unless given, or "audit"), not {}.'
)
# Members of an object that is none of ours.
_MOST_SHOWN = 5
NOT_HANDED_OUT = 'This row was not handed out as an audit; "source" must be "user".'


@dataclass(frozen=True, slots=True)
class SentTruth:
    """One truth as a client sends it, whose form has been checked.

    Attributes:
        path: where it stands in the body.
        request_id: the prediction's id.
        row: which of its rows, from 0.
        source: who says so.
        truth: outputs by name, or the value of the first output.
    """

    path: str
    request_id: str
    row: int
    source: Source
    truth: Any


@dataclass(slots=True)
class CheckedTruths:
    """Truths of one request, checked.

    Attributes:
        sent: those that can be stored, as they were sent.
        truths: the same, as the store takes them.
        not_stored: those about predictions that the store does not have.
    """

    sent: list[SentTruth] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    not_stored: list[SentTruth] = field(default_factory=list)


def read_truths(value: Any, *, limit: int) -> list[SentTruth]:
    """Return the truths of a body ``{"feedback": [...]}``.

    Args:
        value: the body, as JSON.
        limit: the most problems that are listed.

    Raises:
        InvalidRequestError: it is something else.
    """
    problems = Problems(limit)
    if not isinstance(value, dict) or value.keys() != {"feedback"}:
        problems.add("", f'Expected {{"feedback": [...]}}, not {_without_values(value)}.')
        raise problems.error()
    items = value["feedback"]
    if not isinstance(items, list) or not 0 < len(items) <= MOST_TRUTHS:
        expected = f"a list of 1 to {MOST_TRUTHS} objects"
        problems.add("feedback", f"Expected {expected}, not {_without_values(items)}.")
        raise problems.error()
    found = []
    for i, item in enumerate(items):
        if problems.are_too_many:
            break
        sent = _sent(f"feedback[{i}]", item, problems)
        if sent is not None:
            found.append(sent)
    problems.raise_if_any()
    return found


def check_truths(
    sent: Sequence[SentTruth],
    find: Callable[[str], EventRecord | None],
    contract_of: Callable[[int], Contract],
    *,
    limit: int,
    labels_are_text: bool = False,
) -> CheckedTruths:
    """Check truths against the contracts of the versions that answered.

    Args:
        sent: the truths.
        find: returns the stored request of an id.
        contract_of: returns the contract of a version.
        limit: the most problems that are listed.
        labels_are_text: whether a truth that is text may stand for a number, or for true or
            false, as in CSV.

    Raises:
        InvalidRequestError: some are not what the outputs can be; all are named, up to the limit.
        NotFoundError: the contract does not have the signature that was called any more.
    """
    checked, problems = CheckedTruths(), Problems(limit)
    for given in sent:
        each = given
        if problems.are_too_many:
            break
        event = find(each.request_id)
        if event is None or not event.instances:
            checked.not_stored.append(each)
            continue
        if each.row >= event.instances:
            problems.add(f"{each.path}.row", f"{_expected_row(event.instances)}, not {each.row}.")
            continue
        signature = contract_of(event.version).get(event.signature)
        if signature is None:
            raise NotFoundError(
                f"{each.path}: No version that is there has the signature {event.signature!r}, "
                f"which version {event.version} answered, so that the truth cannot be checked."
            )
        if labels_are_text:
            each = replace(each, truth=_labelled(signature.outputs[0], each.truth))
        # What answers without rows has one answer, which is true or not as a whole.
        has_rows = signature.batched or event.instances > 1
        values = _values(signature, each, problems, has_rows=has_rows)
        if values is not None:
            checked.sent.append(each)
            checked.truths.append(Truth(each.request_id, each.row, each.source, values))
    problems.raise_if_any()
    return checked


def _expected_row(rows: int) -> str:
    if rows == 1:
        return "Expected 0, the only row of this prediction"
    return f"Expected a row of this prediction, 0 to {rows - 1}"


def _values(
    signature: Signature, sent: SentTruth, problems: Problems, *, has_rows: bool
) -> dict[str, Any] | None:
    """Return the true outputs by name, as JSON; ``None`` where they are not what outputs can be."""
    path, truth = f"{sent.path}.truth", sent.truth
    if not isinstance(truth, Mapping) or truth.keys() == {"b64"}:
        # The first output is the answer; further ones say how sure it is.
        output = signature.outputs[0]
        is_valid = _is_valid(output, truth, path, problems, has_rows=has_rows)
        return {output.name: truth} if is_valid else None
    if not truth:
        problems.add(path, "Expected at least one output.")
        return None
    outputs = {output.name: output for output in signature.outputs}
    are_valid = True
    for name, value in truth.items():
        place = f"{path}.{name_in_path(name)}"
        if name in outputs:
            are_valid &= _is_valid(outputs[name], value, place, problems, has_rows=has_rows)
        else:
            names = ", ".join(map(repr, outputs))
            problems.add(place, f"There is no such output; there are {names}.")
            are_valid = False
    return dict(truth) if are_valid else None


def _labelled(output: Field, truth: Any) -> Any:
    """Return text as the number or truth value that an output has, as far as JSON has it."""
    if isinstance(truth, str) and output.dtype == "bool":
        return _TRUTH_VALUES.get(truth.strip().lower(), truth)
    if isinstance(truth, str) and output.is_number and "_" not in truth:
        with contextlib.suppress(ValueError):
            number = float(truth) if output.is_float else int(truth)
            return truth if math.isnan(number) else number
    return truth


def _is_valid(output: Field, value: Any, path: str, problems: Problems, *, has_rows: bool) -> bool:
    if output.sensitive:
        problems.add(path, "The contract marks this output as sensitive, so it is not stored.")
        return False

    def place(index: Index) -> str:
        # Without the index of the only row.
        return f"{path}{brackets(index[1:] if has_rows else index)}"

    try:
        # One more than is listed shows that there are more.
        to_tensor(output, [value] if has_rows else value, limit=problems.limit + 1)
    except InvalidValueError as error:
        problems.add_value(place, error)
        return False
    return True


def _without_values(value: Any) -> str:
    """Return what was sent in place of an object of ours, without values: they may be sensitive."""
    match value:
        case dict():
            names = [f"{shown(name)}: ..." for name in islice(value, _MOST_SHOWN)]
            return "{" + ", ".join([*names, *["..."] * (len(value) > _MOST_SHOWN)]) + "}"
        case str():
            return "a text"
        case int() | float() if not isinstance(value, bool):
            return "a number"
        case _:
            return shorten(value)


def _sent(path: str, item: Any, problems: Problems) -> SentTruth | None:
    if not isinstance(item, dict) or not {"id", "truth"} <= item.keys() <= _KEYS:
        problems.add(path, _EXPECTED.format(_without_values(item)))
        return None
    request_id, row, source = item["id"], item.get("row", 0), item.get("source", "user")
    before = len(problems)
    # PostgreSQL takes no text with a zero in it, and would seem not to be usable.
    is_id = isinstance(request_id, str) and request_id.isprintable()
    if not (is_id and 0 < len(request_id) <= _MOST_ID):
        found = shorten(request_id)
        problems.add(f"{path}.id", f"Expected the X-Request-Id of a prediction, not {found}.")
    if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row <= _MOST_ROW:
        expected = f"a whole number from 0 to {_MOST_ROW}"
        problems.add(f"{path}.row", f"Expected {expected}, not {shorten(row)}.")
    if not isinstance(source, str) or source not in (*Source,):
        problems.add(f"{path}.source", f'Expected "user" or "audit", not {shorten(source)}.')
    if len(problems) > before:
        return None
    return SentTruth(path, request_id, row, Source(source), item["truth"])
