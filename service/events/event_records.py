"""One request as the store holds it: what was asked, answered and is true, as JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from service.events.sampling import Inclusion, Reason
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors
from service.repository.json_strings import string_to_json

# What a record takes beside its texts, with its place in the indexes.
_OVERHEAD_BYTES = 400


@dataclass(slots=True, eq=False)
class AnsweredRequest:
    """A sampled request that has been answered, with its tensors.

    Attributes:
        model: the model's name.
        version: the version that answered.
        signature: what was called.
        request_id: its id.
        answered_at: when, in seconds since the epoch.
        status: the HTTP status of its answer.
        instances: how many predictions it was for.
        inputs: an array for each input, as it was sent: a file is its bytes.
        outputs: an array for each output; ``None`` where it failed.
        inclusion: with which probability it is stored.
        size: about how many bytes its tensors have.
    """

    model: str
    version: int
    signature: Signature
    request_id: str
    answered_at: float
    status: int
    instances: int
    inputs: Tensors
    outputs: Tensors | None
    inclusion: Inclusion
    size: int


# Not frozen, which would cost as much as all else of making one.
@dataclass(slots=True)
class EventRecord:
    """A request in the store.

    Attributes:
        model: the model's name.
        request_id: its id.
        answered_at: when it was answered, in seconds since the epoch.
        version: the version that answered.
        signature: the signature that was called.
        status: the HTTP status of its answer.
        instances: how many predictions it was for.
        probability: with which it was to be stored.
        rate: the rate of all requests then.
        reason: why it is stored.
        inputs: JSON, the values of each input by name: a list with one for each instance. Without
            sensitive fields.
        outputs: likewise of the outputs; ``None`` where it failed.
    """

    model: str
    request_id: str
    answered_at: float
    version: int
    signature: str
    status: int
    instances: int
    probability: float
    rate: float
    reason: Reason
    inputs: str
    outputs: str | None

    @property
    def size(self) -> int:
        """About how many bytes it takes in the store."""
        return len(self.inputs) + len(self.outputs or "") + _OVERHEAD_BYTES

    def row_of_inputs(self, instance: int) -> dict[str, Any]:
        """Return the inputs of one instance, by name."""
        return row_of(self.inputs, instance, self.instances)

    def row_of_outputs(self, instance: int) -> dict[str, Any]:
        """Return the outputs of one instance, by name; empty where there are none."""
        return row_of(self.outputs, instance, self.instances)


def size_of(tensors: Tensors | None) -> int:
    """Return about how many bytes the values of tensors have."""
    if tensors is None:
        return 0
    total = 0
    for tensor in tensors.values():
        # Quicker than to compare with ``object``; every sampled request pays for this.
        if tensor.dtype.hasobject:
            total += sum(map(len, tensor.reshape(-1).tolist()))
        else:
            total += tensor.nbytes
    return total


def row_of(columns: str | None, instance: int, instances: int) -> dict[str, Any]:
    """Return the values of one instance, by name.

    Args:
        columns: as a record has them; ``None`` where there are none.
        instance: which, from 0.
        instances: how many the request has.
    """
    values: Mapping[str, Any] = orjson.loads(columns) if columns else {}
    return {
        # What has no row for each instance, such as a default for all of them, is shown whole.
        name: value[instance] if isinstance(value, list) and len(value) == instances else value
        for name, value in values.items()
    }


def is_one_instance(signature: Signature, instances: int) -> bool:
    """Whether all of a tensor is the one instance's: without rows, also where its length is 1."""
    return not signature.batched and instances == 1


def columns_of(
    signature: Signature, fields: Iterable[Field], tensors: Tensors, instances: int
) -> str:
    """Return JSON: a list of values for each field by name, without sensitive ones.

    Args:
        signature: what was called.
        fields: of its inputs or outputs.
        tensors: an array for each field.
        instances: how many predictions the request was for.
    """
    is_one = is_one_instance(signature, instances)
    return json_of(
        {
            field.name: [jsonable(tensors[field.name])] if is_one else jsonable(tensors[field.name])
            for field in fields
            if not field.sensitive and field.name in tensors
        }
    ).decode()


def json_of(value: Any) -> bytes:
    """Return JSON of what ``jsonable`` gives, alone or in a dictionary.

    Raises:
        TypeError: it holds a type that has no JSON.
    """
    # A NaN, which stands for an unknown value, becomes null.
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def jsonable(tensor: np.ndarray[Any, Any]) -> Any:
    """Return a tensor as ``json_of`` takes it: strings as JSON values."""
    if tensor.dtype == object:
        return _strings(tensor.tolist())
    if not tensor.ndim:
        return tensor[()]
    return tensor if tensor.flags.c_contiguous else np.ascontiguousarray(tensor)


def _strings(value: Any) -> Any:
    return [_strings(item) for item in value] if isinstance(value, list) else string_to_json(value)
