"""Many sampled requests as one run of bytes, with their tensors as they lie in memory.

To make JSON of a picture takes longer than all else of storing it, and few events are ever read.
So their JSON is made when they are.

The bytes are a length (8 bytes, little endian), so many bytes of JSON, and the values of all
requests one after the other. The JSON has ``layouts``, each a version, a signature, whether all of
a tensor is one instance's, the inputs and the outputs; and ``events``, each the fields of a record
and the number of its layout. An input or output is a name, a dtype as numpy writes it, and a shape.
What is no array of plain numbers is JSON already, and has the number of its bytes in place of dtype
and shape.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
import orjson

from service.events.event_records import (
    AnsweredRequest,
    EventRecord,
    is_one_instance,
    json_of,
    jsonable,
)
from service.events.sampling import Reason
from service.repository.contract import Signature
from service.repository.golden_examples import Tensors

_LENGTH_BYTES = 8
# Types of numbers that JSON is made of, by numpy's characters.
_PLAIN = frozenset("?bhilqBHILQfd")

_Place = tuple[str, Any, Any]
_Layout = tuple[int, str, bool, tuple[_Place, ...], tuple[_Place, ...] | None]
IsWanted = Callable[[str, Reason, int], bool]


class PackedRequests:
    """Requests of one model as bytes, without sensitive fields; grows while it is not written.

    A request is packed when it is answered, while its tensors are in the processor's cache and
    before they are let go: to keep them until they are written cost more than to pack them.

    Attributes:
        model: the model's name.
    """

    def __init__(self, model: str) -> None:
        """No requests yet."""
        self.model = model
        self._layouts: dict[_Layout, int] = {}
        self._events: list[tuple[Any, ...]] = []
        self._values = bytearray()
        self._kept: dict[int, _Kept] = {}

    def __len__(self) -> int:
        return len(self._events)

    @property
    def ids(self) -> list[str]:
        """The requests' ids."""
        return [event[0] for event in self._events]

    @property
    def reasons(self) -> Counter[Reason]:
        """How many are stored for which reason."""
        return Counter([event[6] for event in self._events])

    def add(self, request: AnsweredRequest) -> None:
        """Add a request of the model.

        Raises:
            TypeError: one of its values has no JSON; nothing is added.
            ValueError: likewise.
        """
        signature, outputs, included = request.signature, request.outputs, request.inclusion
        kept = self._kept.get(id(signature)) or self._kept.setdefault(
            id(signature), _Kept(signature)
        )
        values, end = self._values, len(self._values)
        try:
            layout = (
                request.version,
                signature.name,
                is_one_instance(signature, request.instances),
                _places(kept.inputs, request.inputs, values),
                None if outputs is None else _places(kept.outputs, outputs, values),
            )
        except BaseException:
            del values[end:]
            raise
        self._events.append(
            (
                request.request_id,
                request.answered_at,
                request.status,
                request.instances,
                included.probability,
                included.rate,
                included.reason,
                self._layouts.setdefault(layout, len(self._layouts)),
            )
        )

    def times(self) -> tuple[float, float]:
        """Return when the first and the last was answered, in seconds since the epoch."""
        times = [event[1] for event in self._events]
        return min(times), max(times)

    def to_bytes(self) -> bytes:
        """Return the bytes, for ``unpack_records``."""
        layouts = [_described(each) for each in self._layouts]
        head = orjson.dumps({"layouts": layouts, "events": self._events})
        return b"".join((len(head).to_bytes(_LENGTH_BYTES, "little"), head, self._values))


class _Kept:
    """The names of a signature's fields that may be stored."""

    __slots__ = ("_signature", "inputs", "outputs")

    def __init__(self, signature: Signature) -> None:
        # Its id is a key for as long as it is there.
        self._signature = signature
        self.inputs = [field.name for field in signature.inputs if not field.sensitive]
        self.outputs = [field.name for field in signature.outputs if not field.sensitive]


def unpack_records(model: str, body: bytes, is_wanted: IsWanted) -> Iterator[EventRecord]:
    """Yield the requests in bytes that ``PackedRequests`` has made, in their order, as records.

    Args:
        model: their model's name.
        body: the bytes.
        is_wanted: is called with the id, the reason and the status of each, and says whether it is
            yielded.
    """
    start = _LENGTH_BYTES
    end = start + int.from_bytes(body[:start], "little")
    head = orjson.loads(body[start:end])
    layouts = [(*layout, _size(layout[3]) + _size(layout[4])) for layout in head["layouts"]]
    for request_id, at, status, instances, probability, rate, reason, number in head["events"]:
        version, signature, is_one, inputs, outputs, size = layouts[number]
        if is_wanted(request_id, Reason(reason), status):
            middle = end + _size(inputs)
            yield EventRecord(
                model=model,
                request_id=request_id,
                answered_at=at,
                version=version,
                signature=signature,
                status=status,
                instances=instances,
                probability=probability,
                rate=rate,
                reason=Reason(reason),
                inputs=_json(inputs, body, end, is_one),
                outputs=None if outputs is None else _json(outputs, body, middle, is_one),
            )
        end += size


def _places(names: Sequence[str], tensors: Tensors, values: bytearray) -> tuple[_Place, ...]:
    """Return what the values of some fields are, and add them to ``values``."""
    places: list[_Place] = []
    for name in names:
        tensor = tensors.get(name)
        if tensor is None:
            continue
        kind = tensor.dtype.char
        if kind in _PLAIN and tensor.dtype.isnative:
            values += tensor.tobytes()
            places.append((name, kind, tensor.shape))
        else:
            text = json_of(jsonable(tensor))
            values += text
            places.append((name, len(text), None))
    return tuple(places)


def _described(layout: _Layout) -> list[Any]:
    version, signature, is_one, inputs, outputs = layout
    # The characters mean other sizes on other machines.
    return [version, signature, is_one] + [
        None
        if places is None
        else [
            [name, np.dtype(kind).str if isinstance(kind, str) else kind, shape]
            for name, kind, shape in places
        ]
        for places in (inputs, outputs)
    ]


def _size(places: Collection[Sequence[Any]] | None) -> int:
    return sum(_value_size(kind, shape) for _, kind, shape in places or ())


def _value_size(kind: int | str, shape: Sequence[int]) -> int:
    return kind if isinstance(kind, int) else np.dtype(kind).itemsize * prod(shape)


def _json(places: Collection[Sequence[Any]], body: bytes, start: int, is_one: bool) -> str:
    values: dict[str, Any] = {}
    for name, kind, shape in places:
        size = _value_size(kind, shape)
        # A slice is a copy, which is aligned as the numbers must be.
        part = body[start : start + size]
        value: Any
        if isinstance(kind, int):
            value = orjson.Fragment(part)
        else:
            value = jsonable(np.frombuffer(part, kind).reshape(shape))
        values[name] = [value] if is_one else value
        start += size
    return json_of(values).decode()
