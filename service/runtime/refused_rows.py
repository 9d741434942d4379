"""Finds the rows of a batch that a graph refuses; TensorFlow's error does not name them."""

from collections.abc import Callable

from service.errors import InvalidRequestError, strip
from service.repository.golden_examples import Tensors

# Of runs of a part of the batch: one bad row of 64 takes 12, one of 50,000 some 32.
_MOST_RUNS = 64


def bisect_refused_rows(
    run: Callable[[Tensors], object], inputs: Tensors, *, most: int
) -> dict[int, InvalidRequestError]:
    """Find refused rows by running halves of what was refused.

    Args:
        run: runs a batch, and raises ``InvalidRequestError`` when the graph refuses it; what else
            it raises, such as that time is up, ends the search.
        inputs: the refused batch: arrays of equally many rows.
        most: the most rows to find.

    Returns:
        The refusal of each row that was found, the first rows first; empty when it is only
        together that they are refused.
    """
    rows = next(iter(inputs.values())).shape[0]
    found: dict[int, InvalidRequestError] = {}
    runs = 0
    # Yet to be run, the first rows last.
    ranges = _halves(0, rows)
    while ranges and len(found) < most and runs < _MOST_RUNS:
        start, end = ranges.pop()
        runs += 1
        try:
            run({name: tensor[start:end] for name, tensor in inputs.items()})
        except InvalidRequestError as error:
            if end - start == 1:
                # Kept here, it would keep this frame and the batch alive.
                strip(error)
                found[start] = error
            else:
                ranges += _halves(start, end)
    return found


def _halves(start: int, end: int) -> list[tuple[int, int]]:
    middle = (start + end) // 2
    return [(middle, end), (start, middle)]
