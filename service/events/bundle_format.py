"""Many sampled requests as one run of bytes, with their tensors as they lie in memory.

To make JSON of a picture takes longer than all else of storing it, and few events are ever read.
So their JSON is made when they are.

The bytes are a length (8 bytes, little endian), so many bytes of JSON, and the values of all
requests one after the other. The JSON has ``layouts``, each a version, a signature, whether all of
a tensor is one instance's, the inputs and the outputs; and ``events``, each the fields of a record,
the number of its layout, and how many bytes each value takes that is JSON already. An input or
output is a name, a dtype as numpy writes it, and a shape; without dtype and shape it is JSON, as
what is no array of plain numbers is. In stores of format 2 the dtype's place had the length of
that JSON.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from service.repository.contract import NUMPY_TYPES, Field, Signature
from service.repository.golden_examples import Tensors

_LENGTH_BYTES = 8
# Types of numbers that JSON is made of, by numpy's characters.
_PLAIN = frozenset("?bhilqBHILQfd")

# The shape of a field's values, or what stands for it: of values that are JSON, of none at all.
_Shape = tuple[int, ...] | None
_JSON: _Shape = (-1,)
_Shapes = tuple[_Shape, ...]
_Layout = tuple["_Fields", int, bool, _Shapes, _Shapes | None]
IsWanted = Callable[[str, Reason, int], bool]


class PackedRequests:
    """Requests of one model as bytes, without sensitive fields; grows while it is not written.

    Requests are packed soon after they are answered, not when they are written: to keep their
    tensors until then cost more than to pack them.

    Attributes:
        model: the model's name.
    """

    def __init__(self, model: str) -> None:
        """No requests yet."""
        self.model = model
        self._layouts: dict[_Layout, int] = {}
        self._events: list[tuple[Any, ...]] = []
        self._values = bytearray()
        self._fields: dict[int, _Fields] = {}

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
        fields = self._fields.get(id(signature)) or self._fields.setdefault(
            id(signature), _Fields(signature)
        )
        values, end = self._values, len(self._values)
        lengths: list[int] = []
        try:
            layout = (
                fields,
                request.version,
                is_one_instance(signature, request.instances),
                _add(fields.inputs, request.inputs, values, lengths),
                None if outputs is None else _add(fields.outputs, outputs, values, lengths),
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
                lengths,
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


class _Fields:
    """The fields of a signature that may be stored, each a name and numpy's type of its numbers.

    The type is ``None`` where the values are no plain numbers.
    """

    __slots__ = ("inputs", "outputs", "signature")

    def __init__(self, signature: Signature) -> None:
        # Its id is a key for as long as it is there.
        self.signature = signature
        self.inputs = [(each.name, _plain(each)) for each in signature.inputs if not each.sensitive]
        self.outputs = [
            (each.name, _plain(each)) for each in signature.outputs if not each.sensitive
        ]


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
    layouts = [
        (*layout, [*_sizes(layout[3])], [*_sizes(layout[4] or ())]) for layout in head["layouts"]
    ]
    for event in head["events"]:
        request_id, at, status, instances, probability, rate, reason, number, *more = event
        version, signature, is_one, inputs, outputs, input_sizes, output_sizes = layouts[number]
        lengths = iter(more[0] if more else ())
        sizes = [next(lengths) if size is None else size for size in input_sizes + output_sizes]
        if is_wanted(request_id, Reason(reason), status):
            parts = _cut(body, end, sizes)
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
                inputs=_json(inputs, parts, is_one),
                outputs=None if outputs is None else _json(outputs, parts, is_one),
            )
        end += sum(sizes)


def _plain(field: Field) -> np.dtype[Any] | None:
    dtype = np.dtype(NUMPY_TYPES[field.dtype])
    return dtype if dtype.char in _PLAIN else None


def _add(
    fields: Sequence[tuple[str, np.dtype[Any] | None]],
    tensors: Tensors,
    values: bytearray,
    lengths: list[int],
) -> _Shapes:
    """Add the values of some fields, and the lengths of those that are JSON; return the shapes."""
    shapes: list[_Shape] = []
    for name, dtype in fields:
        tensor = tensors.get(name)
        if tensor is None:
            shapes.append(None)
        elif tensor.dtype is dtype:
            values += tensor.tobytes()
            shapes.append(tensor.shape)
        else:
            text = json_of(jsonable(tensor))
            values += text
            lengths.append(len(text))
            shapes.append(_JSON)
    return tuple(shapes)


def _described(layout: _Layout) -> list[Any]:
    fields, version, is_one, inputs, outputs = layout
    return [
        version,
        fields.signature.name,
        is_one,
        _places(fields.inputs, inputs),
        None if outputs is None else _places(fields.outputs, outputs),
    ]


def _places(
    fields: Sequence[tuple[str, np.dtype[Any] | None]], shapes: _Shapes
) -> list[tuple[str, str | None, _Shape]]:
    # The characters of types mean other sizes on other machines.
    return [
        (name, None, None) if shape is _JSON or dtype is None else (name, dtype.str, shape)
        for (name, dtype), shape in zip(fields, shapes, strict=True)
        if shape is not None
    ]


def _sizes(places: Iterable[Sequence[Any]]) -> Iterator[int | None]:
    """Yield how many bytes each value takes; ``None`` where each request says so."""
    for _, kind, shape in places:
        is_plain = isinstance(kind, str)
        yield np.dtype(kind).itemsize * prod(shape) if is_plain else kind


def _cut(body: bytes, start: int, sizes: Sequence[int]) -> Iterator[bytes]:
    for size in sizes:
        # A slice is a copy, which is aligned as the numbers must be.
        yield body[start : start + size]
        start += size


def _json(places: Iterable[Sequence[Any]], parts: Iterator[bytes], is_one: bool) -> str:
    values: dict[str, Any] = {}
    for name, kind, shape in places:
        part = next(parts)
        value: Any
        if isinstance(kind, str):
            value = jsonable(np.frombuffer(part, kind).reshape(shape))
        else:
            value = orjson.Fragment(part)
        values[name] = [value] if is_one else value
    return json_of(values).decode()
