"""What the page needs of fields beside their contract: which are pictures, how sliders move."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.repository.contract import Field, Signature, is_one_of
from service.repository.golden_examples import GoldenExample

_PICTURE_SIZES = range(8, 513)
# Wider ranges are for a box: a slider's pixels would be too few, and browsers round what is larger.
_WIDEST_SLIDER = 1e7
_LARGEST_EXACT = 2**53
# Fewer whole examples may be so by chance.
_ENOUGH_EXAMPLES = 3


def signature_on_page(signature: Signature, examples: Sequence[GoldenExample]) -> dict[str, Any]:
    """Return a signature as the page needs it: its contract, and in its fields, where it applies,

    - ``picture``: its ``size`` in pixels, its ``channels`` (0 where they are no dimension), and its
      ``low`` and ``high``, which are black and white;
    - ``slider``: its ``min``, ``max`` and ``step``;
    - ``limits``: the least and the greatest whole number of its dtype that a browser can write.

    Args:
        signature: one of the contract.
        examples: the version's golden ones, from which the step of a number's slider follows.
    """
    ours = [each.instance for each in examples if each.signature == signature.name]
    return {
        **signature.to_json(),
        "inputs": [_field(field, signature, ours) for field in signature.inputs],
        "outputs": [_field(field, signature, []) for field in signature.outputs],
        "has_rows": signature.has_rows,
        "rows_independent": signature.has_rows and bool(signature.rows_independent),
    }


def _field(
    field: Field, signature: Signature, instances: list[Mapping[str, Any]]
) -> dict[str, Any]:
    value = field.to_json()
    if not field.is_number or field.shape is None:
        return value
    shape = field.shape[signature.has_rows :]
    added = {
        "picture": _picture(field, shape),
        "slider": _slider(field, [each.get(field.name) for each in instances], shape),
        "limits": None if field.is_float else _limits(field),
    }
    return value | {name: each for name, each in added.items() if each is not None}


def _picture(field: Field, shape: tuple[int | None, ...]) -> dict[str, float] | None:
    channels = 0
    match shape:
        case (int(size), width) if size == width:
            pass
        case (int(size), width, (1 | 3) as channels) if size == width:
            pass
        case _:
            return None
    if size not in _PICTURE_SIZES:
        return None
    white = 255 if field.dtype == "uint8" else 1
    low = 0 if field.minimum is None else field.minimum
    high = white if field.maximum is None else field.maximum
    return {"size": size, "channels": channels, "low": low, "high": high}


def _slider(
    field: Field, examples: list[Any], shape: tuple[int | None, ...]
) -> dict[str, float | str] | None:
    low, high = field.minimum, field.maximum
    if shape or low is None or high is None:
        return None
    if high - low >= _WIDEST_SLIDER or max(abs(low), abs(high)) >= _LARGEST_EXACT:
        return None
    return {"min": low, "max": high, "step": _step(field, examples, high - low)}


def _step(field: Field, examples: list[Any], width: float) -> float | str:
    """Return a step that suits the field: a whole one where all that is known of it is whole."""
    known = [each for each in (*examples, field.example) if is_one_of(each, (int, float))]
    are_whole = all(float(each).is_integer() for each in known)
    if not field.is_float or (len(known) >= _ENOUGH_EXAMPLES and are_whole and width >= 4):
        return 1
    return 10.0 ** math.floor(math.log10(width / 100)) if width > 0 else "any"


def _limits(field: Field) -> list[int]:
    bounds = np.iinfo(field.numpy_type)
    # The next whole numbers of a double within them.
    return [int(math.nextafter(end, 0)) for end in (int(bounds.min) - 1, int(bounds.max) + 1)]
