"""An inference request: what it asks of which signature, checked against a model's contract."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.api.codecs.oip.input_data import is_nested
from service.api.codecs.oip.named_inputs import InputData, data_by_input, read_inputs
from service.api.codecs.oip.request_envelope import check_envelope
from service.api.codecs.oip.requested_outputs import RequestedOutput, read_outputs
from service.api.json import json_arrays
from service.api.validation.error_messages import shorten
from service.api.validation.problems import LONGEST_NAME, Index, Problems, brackets, name_in_path
from service.errors import InvalidRequestError
from service.repository.contract import DEFAULT_SIGNATURE, Contract, Signature, why_left_out
from service.repository.golden_examples import Tensors
from service.runtime.input_defaults import add_default_inputs

# Triton reserves these names; a client that sends one expects an effect.
_RESERVED = "triton_"


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A checked request.

    Attributes:
        signature: the signature that is called.
        inputs: a tensor for each of its inputs.
        outputs: the requested ones, in the order of the response.
        paths: the path of each input's data.
        nested: the inputs whose data came in nested lists, and not as one row of values.
        id: the client's name for the request, if it gave one.
    """

    signature: Signature
    inputs: Tensors
    outputs: tuple[RequestedOutput, ...]
    paths: Mapping[str, str]
    nested: Container[str] = ()
    id: str | None = None

    @property
    def instances(self) -> int:
        """How many instances the request has."""
        if not self.signature.batched:
            return 1
        # Where rows are not independent, inputs may be of different lengths.
        return max((int(t.shape[0]) for t in self.inputs.values() if t.ndim), default=1)

    def path_of(self, name: str, index: Index) -> str:
        """Return the path by which the client knows the value of an input at an index."""
        path, shape = self.paths[name], self.inputs[name].shape
        if name in self.nested:
            return f"{path}{brackets(index)}"
        whole = (*index, *(0 for _ in shape[len(index) :]))
        return f"{path}[{np.ravel_multi_index(whole, shape)}]" if whole else path

    def path_of_row(self, row: int) -> str:
        """Return the path of a row of all inputs."""
        if len(self.inputs) == 1:
            return self.path_of(next(iter(self.inputs)), (row,))
        return f"inputs[*].data, row {row}"


def find_signature(contract: Contract, name: str | None) -> Signature:
    """Return the signature that is named, or else the default or only one.

    Args:
        contract: the model's.
        name: the signature's; ``None`` or empty where the request names none.

    Raises:
        InvalidRequestError: there is no such signature, or there are several to choose from.
    """
    if not name:
        name = next(iter(contract)) if len(contract) == 1 else DEFAULT_SIGNATURE
        if name not in contract:
            raise InvalidRequestError(
                f"The model has no signature {DEFAULT_SIGNATURE!r}; the parameter signature_name "
                f"must say which is meant: {', '.join(contract)}."
                f"{why_left_out(contract, name)}"
            )
    if name not in contract:
        raise InvalidRequestError(
            f"Serving signature name: {name[:LONGEST_NAME]!r} not found in signature def; "
            f"there are: {', '.join(contract)}.{why_left_out(contract, name)}"
        )
    return contract[name]


def read_request(
    document: Any, tail: bytes, contract: Contract, signature_name: str | None, *, limit: int
) -> InferRequest:
    """Check a request against a model's contract.

    Args:
        document: the JSON value; long arrays of numbers may be ``NumberArray``.
        tail: the bytes after the JSON.
        contract: the model's.
        signature_name: the signature to call unless the request's parameters name one.
        limit: the most problems to report.

    Raises:
        InvalidRequestError: it is not a request that the model takes; its details name the places.
    """
    arguments = (tail, contract, signature_name, limit)
    try:
        return _read(document, *arguments)
    except InvalidRequestError:
        # Errors name values as any JSON parser reads them.
        return _read(json_arrays.with_lists(document), *arguments)


def _read(
    document: Any, tail: bytes, contract: Contract, signature_name: str | None, limit: int
) -> InferRequest:
    problems = Problems(limit)
    request = check_envelope(document, problems)
    return read_checked(
        request,
        lambda: data_by_input(request["inputs"], tail),
        contract,
        signature_name,
        problems,
    )


def read_checked(
    request: Mapping[str, Any],
    divide: Callable[[], Sequence[InputData]],
    contract: Contract,
    signature_name: str | None,
    problems: Problems,
) -> InferRequest:
    """Check a request whose envelope has been checked.

    Args:
        request: its envelope.
        divide: returns the data of each of its inputs.
        contract: the model's.
        signature_name: the signature to call unless the request's parameters name one.
        problems: of the request.

    Raises:
        InvalidRequestError: it is not a request that the model takes; its details name the places.
    """
    parameters = request.get("parameters") or {}
    name = parameters.get("signature_name", signature_name)
    _check_parameters(parameters, name, problems)
    problems.raise_if_any()
    signature = find_signature(contract, name)
    parts = divide()
    inputs = read_inputs(signature, request["inputs"], parts, problems)
    outputs = read_outputs(
        signature,
        request.get("outputs") or [],
        problems,
        binary=parameters.get("binary_data_output", False),
    )
    problems.raise_if_any()
    add_default_inputs(signature, inputs)
    items = request["inputs"]
    return InferRequest(
        signature,
        inputs,
        outputs,
        paths={item["name"]: part.data_key for item, part in zip(items, parts, strict=True)},
        nested={item["name"] for item in items if is_nested(item.get("data"))},
        id=request.get("id"),
    )


def _check_parameters(
    parameters: Mapping[str, Any], signature_name: Any, problems: Problems
) -> None:
    if not (signature_name is None or isinstance(signature_name, str)):
        problems.add(
            "parameters.signature_name", f"Expected a string, not {shorten(signature_name)}."
        )
    binary = parameters.get("binary_data_output", False)
    if not isinstance(binary, bool):
        problems.add(
            "parameters.binary_data_output", f"Expected true or false, not {shorten(binary)}."
        )
    for key in parameters:
        if problems.are_too_many:
            break
        if key.startswith(_RESERVED):
            problems.add(
                f"parameters.{name_in_path(key)}",
                f"Names that begin with {_RESERVED!r} are Triton's own.",
            )
