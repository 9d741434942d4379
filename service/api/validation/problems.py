"""Problems of one request, and of its answer, as one error."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Any

import marshmallow
import numpy as np
import numpy.typing as npt

from service.errors import InvalidRequestError

# A few numbers, in whose number Python's functions are faster than numpy's.
_FEW = 16

# Of a client's own name that is told back to it.
LONGEST_NAME = 100


def refusal(problems: Mapping[str, list[str]], limit: int) -> InvalidRequestError:
    """Make the error: the first problem in its sentence, all of them up to ``limit`` as details.

    Args:
        problems: sentences by path ("instances[3].x"); the empty path is the whole body.
        limit: the most paths that are listed.
    """
    shown = dict(list(problems.items())[:limit])
    path, messages = next(iter(shown.items()))
    sentence = messages[0] if not path else f"{path}: {messages[0]}"
    if len(problems) > limit:
        # How many more, nobody has counted: tensors stop looking.
        sentence = f"{sentence} (The first of more than {limit} problems.)"
    elif len(problems) > 1:
        sentence = f"{sentence} (The first of {len(problems)} problems.)"
    details = {key or "body": texts for key, texts in shown.items()}
    return InvalidRequestError(sentence, details=details)


def first_names(names: Iterable[str], limit: int) -> list[str]:
    """Return the first of a client's own names in alphabetical order, cut as they are told back.

    Args:
        names: any number of names.
        limit: the most problems that are listed; one more shows that there are more.
    """
    return nsmallest(limit + 1, {name[:LONGEST_NAME] for name in names})


def without_excess(data: dict[str, Any], known: Container[str], limit: int) -> dict[str, Any]:
    """Return an object with as many unknown keys as problems are listed, and one more.

    To make a sentence of each of a million would keep a worker for seconds, for nobody.

    Args:
        data: the object.
        known: the keys that it may have.
        limit: the most problems that are listed.
    """
    unknown: dict[str, str] = {}
    for key in data:
        if key not in known:
            unknown.setdefault(key[:LONGEST_NAME], key)
            if len(unknown) > limit:
                break
    else:
        return data
    kept = set(unknown.values())
    return {key: value for key, value in data.items() if key in known or key in kept}


def check_count(place: str, count: int, *, most: int) -> None:
    """Check how many rows a request has.

    Args:
        place: how it calls the list of them.
        count: how many there are.
        most: how many there may be.

    Raises:
        InvalidRequestError: there are more.
    """
    if count > most:
        message = f"Expected at most {most} rows in one request, not {count}; divide it."
        raise refusal({place: [message]}, 1)


def envelope_problems(error: marshmallow.ValidationError) -> dict[str, list[str]]:
    """Return the problems that the schema of a request's envelope has found, by path."""
    return {
        "" if key == "_schema" else key[:LONGEST_NAME]: texts
        for key, texts in error.messages_dict.items()
    }


def brackets(index: Sequence[int]) -> str:
    """Return an index into nested lists as it stands in a path: ``[3][0]``."""
    return "".join(f"[{i}]" for i in index)


def check_finite(name: str, tensor: npt.NDArray[Any], advice: str = "") -> None:
    """Check that JSON can hold an answer.

    What a version answers to its golden examples is finite, or it would not serve; so it is the
    request's values that lead out of the range of numbers.

    Args:
        name: the output's.
        tensor: the answer.
        advice: what the client may do instead.

    Raises:
        InvalidRequestError: a number of it is NaN or infinite, which JSON does not have.
    """
    if tensor.dtype.kind != "f":
        return
    # Of so few numbers Python tells sooner.
    if tensor.size <= _FEW and all(map(math.isfinite, tensor.ravel().tolist())):
        return
    if np.isfinite(tensor).all():
        return
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(tensor))[0])
    what = "NaN" if np.isnan(tensor[index]) else "infinity"
    raise InvalidRequestError(
        f"The model has no finite answer to these values: {name}{brackets(index)} is {what}, and "
        f"JSON has no such number{advice}."
    )
