"""How many rows a request has: no more than it may, and as many in each input."""

from collections.abc import Callable

from service.api.validation.error_messages import count_with_noun
from service.api.validation.problems import Problems, invalid_request
from service.repository.golden_examples import Tensors


def check_row_count(path: str, count: int, *, most: int) -> None:
    """Check how many rows a request has.

    Args:
        path: of the list of them.
        count: how many there are.
        most: how many there may be.

    Raises:
        InvalidRequestError: there are more.
    """
    if count > most:
        raise invalid_request(
            path, f"Expected at most {most} rows in one request, not {count}; divide it."
        )


def check_equal_rows(inputs: Tensors, problems: Problems, path_of: Callable[[str], str]) -> None:
    """Add to ``problems`` which inputs have another number of rows than the first of them.

    Args:
        inputs: the tensors by name.
        problems: of the request.
        path_of: returns the path of an input.
    """
    # A tensor of unknown rank may have come as a single number, which has no rows.
    rows = {name: tensor.shape[0] for name, tensor in inputs.items() if tensor.ndim}
    if len(set(rows.values())) <= 1:
        return
    first, expected = next(iter(rows.items()))
    for name, count in rows.items():
        if count != expected:
            message = (
                f"Expected {count_with_noun(expected, 'row')}, as many as {first!r} has, "
                f"not {count}."
            )
            problems.add(path_of(name), message)
