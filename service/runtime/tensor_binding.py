"""How a signature's inputs and outputs meet the tensors of a graph.

TensorFlow feeds and fetches each tensor once, and does not do both with one; signatures may bind
one tensor to several names, and give an input back as an output.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.errors import InvalidRequestError
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors

_Array = npt.NDArray[Any]


class TensorBinding:
    """What to feed and to fetch for a signature.

    Attributes:
        feeds: the names of the tensors to feed, each once.
        fetches: the names of the tensors to fetch, each once and none that is fed; may be empty.
    """

    def __init__(
        self,
        signature: Signature,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        bfloat16: Any,
    ) -> None:
        """The binding of one signature.

        Args:
            signature: the signature.
            inputs: the name of the tensor of each input.
            outputs: the name of the tensor of each output.
            bfloat16: numpy's type of what TensorFlow takes for bfloat16.
        """
        self._bfloat16 = bfloat16
        # The input that is fed to each tensor; further ones must be equal to it.
        fed: dict[str, Field] = {}
        self._twins: list[tuple[str, str]] = []
        for field in signature.inputs:
            first = fed.setdefault(inputs[field.name], field)
            if first is not field:
                self._twins.append((first.name, field.name))
        fetched = [outputs[f.name] for f in signature.outputs if outputs[f.name] not in fed]
        self._fed = tuple(fed.values())
        self.feeds = tuple(fed)
        self.fetches = tuple(dict.fromkeys(fetched))
        # For each output: the input that it is, or the place of its tensor among the fetches.
        self._sources: list[tuple[Field, str | None, int]] = []
        for field in signature.outputs:
            name = outputs[field.name]
            if name in fed:
                self._sources.append((field, fed[name].name, -1))
            else:
                self._sources.append((field, None, self.fetches.index(name)))

    def arguments(self, inputs: Tensors) -> list[_Array]:
        """Return what is fed, in the order of ``feeds``.

        Raises:
            InvalidRequestError: inputs that are one tensor of the graph differ.
        """
        for first, second in self._twins:
            if not _are_equal(inputs[first], inputs[second]):
                raise InvalidRequestError(
                    f"Inputs {first!r} and {second!r} are one tensor of the model; expected equal "
                    "values for both."
                )
        return [
            inputs[f.name].astype(self._bfloat16) if f.dtype == "bfloat16" else inputs[f.name]
            for f in self._fed
        ]

    def outputs(self, inputs: Tensors, values: list[Any]) -> Tensors:
        """Return an array for each output.

        Args:
            inputs: what was fed.
            values: what was fetched, in the order of ``fetches``.
        """
        return {
            # A copy, since the caller may go on to use its inputs.
            f.name: _as_array(f, values[place]) if source is None else inputs[source].copy()
            for f, source, place in self._sources
        }


def _as_array(field: Field, value: Any) -> _Array:
    if field.dtype == "string" and isinstance(value, bytes):
        # numpy would take a single string for one of its own kind, which ends before its NULs.
        array = np.empty((), dtype=np.object_)
        array[()] = value
        return array
    array = np.asarray(value)
    return array.astype(np.float32) if field.dtype == "bfloat16" else array


def _are_equal(one: _Array, other: _Array) -> bool:
    is_float = one.dtype.kind == "f"
    return np.array_equal(one, other, equal_nan=is_float)
