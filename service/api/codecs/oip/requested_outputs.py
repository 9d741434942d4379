"""The outputs that a request names, and their form in the response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.api.codecs.oip.classification import can_classify
from service.api.codecs.oip.datatypes import datatype
from service.api.validation.error_messages import shorten
from service.api.validation.problems import Problems
from service.repository.contract import Field, Signature


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that a request names.

    Attributes:
        field: the output.
        binary: whether as bytes and not as JSON.
        classes: how many of the highest values to name instead of giving all; 0 gives all.
    """

    field: Field
    binary: bool = False
    classes: int = 0


def read_outputs(
    signature: Signature, items: Sequence[Mapping[str, Any]], problems: Problems, *, binary: bool
) -> tuple[RequestedOutput, ...]:
    """Return the requested outputs in their order; what is wrong is added to ``problems``.

    Args:
        signature: whose outputs.
        items: the request's outputs, their envelopes checked; empty for all outputs.
        problems: of the request.
        binary: whether those that do not say come as bytes.
    """
    if not items:
        return tuple(RequestedOutput(field, binary) for field in signature.outputs)
    fields = {field.name: field for field in signature.outputs}
    requested: dict[str, RequestedOutput] = {}
    for i, item in enumerate(items):
        if problems.are_too_many:
            break
        path, name = f"outputs[{i}]", item["name"]
        field = fields.get(name)
        if field is None:
            names = ", ".join(fields)
            problems.add(
                f"{path}.name",
                f"Unknown output {shorten(name)}; signature {signature.name!r} gives {names}.",
            )
        elif name in requested:
            problems.add(f"{path}.name", f"{name!r} is asked for already.")
        else:
            parameters = item.get("parameters") or {}
            _check_parameters(field, parameters, problems, f"{path}.parameters")
            requested[name] = RequestedOutput(
                field,
                parameters.get("binary_data", binary),
                parameters.get("classification", 0),
            )
    return tuple(requested.values())


def _check_parameters(
    field: Field, parameters: Mapping[str, Any], problems: Problems, path: str
) -> None:
    binary = parameters.get("binary_data", False)
    if not isinstance(binary, bool):
        problems.add(f"{path}.binary_data", f"Expected true or false, not {shorten(binary)}.")
    count = parameters.get("classification", 0)
    if type(count) is not int or count < 0:
        problems.add(
            f"{path}.classification", f"Expected a number of classes, not {shorten(count)}."
        )
    elif count and not can_classify(field):
        problems.add(
            f"{path}.classification",
            f"Classes have numbers as scores, and {field.name!r} is {datatype(field)}.",
        )
    if "shared_memory_region" in parameters:
        problems.add(f"{path}.shared_memory_region", "This service shares no memory with clients.")
