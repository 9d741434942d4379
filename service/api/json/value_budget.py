"""How many values a parsed body may hold, and how many such bodies are parsed at one time.

A value of two bytes in JSON (``[]``, ``""``) takes 50 to 250 bytes as a Python object. So values
are counted in the text, by brackets and commas, before any is made. Long arrays of numbers
are not among them: they become arrays (service/api/json/json_arrays.py).
"""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from math import prod
from threading import Lock

import numpy as np

from service.api.request_limits import Limits
from service.errors import ServiceError
from service.repository.contract import Contract, Field

# Shorter texts are not counted: they cannot hold enough values to matter.
_UNCOUNTED_BYTES = 64 * 1024
# Larger bodies are parsed on a thread, and those of more values one after the other: the event loop
# never waits for that.
LARGE_BYTES = 256 * 1024
# Any body may have as many: the 100 MB that they take at most are available, and errors can then be
# explained in detail.
_ALWAYS = 1_000_000
# On average, the values of a body of the largest size have at least so many bytes each.
_LEAST_BYTES = 8

# The bytes of a text that are examined in one step.
_AT_ONCE = 1 << 20
_UNBOUND = nullcontext()
_OPENING = (b",", b"[", b"{")


class ValueBudget:
    """Bounds the values of parsed bodies in one worker."""

    def __init__(self, limits: Limits) -> None:
        """A budget of which nothing is used.

        Args:
            limits: of rows and bytes.
        """
        self._max_rows = limits.max_rows
        self._most = max(_ALWAYS, limits.max_body_bytes // _LEAST_BYTES)
        self._one_at_a_time = Lock()

    def bound(self, size: int, contract: Contract) -> AbstractContextManager[None]:
        """Bound the values of a body that is parsed and checked meanwhile, on this thread.

        Args:
            size: the body's bytes.
            contract: the model's.
        """
        if size <= _UNCOUNTED_BYTES:
            return _UNBOUND
        return _Share(self._most_of(contract), self._most, self._max_rows, self._one_at_a_time)

    def _most_of(self, contract: Contract) -> int:
        """Return the most values of a request that fits a contract."""
        found = _ALWAYS
        for signature in contract.values():
            sizes = [_size(field) for field in signature.inputs]
            if None in sizes:
                return self._most
            # A comma and a bracket a row; of each input as many again, for the lists around them.
            row = 2 + sum(2 * (size or 0) + 2 for size in sizes)
            found = max(found, self._max_rows * row)
        return min(found, self._most)


# Not of ``contextlib.contextmanager``, which would keep an error's frames, and with them the body.
class _Share(AbstractContextManager[None]):
    """What one body may hold."""

    def __init__(self, most: int, most_of_any: int, max_rows: int, gate: Lock) -> None:
        self.most = most
        self.most_of_any = most_of_any
        self.max_rows = max_rows
        self._gate = gate
        self._is_in = False
        self._token: Token[_Share | None]

    def wait(self) -> None:
        """Wait until no other body of many values is parsed."""
        if not self._is_in:
            self._gate.acquire()
            self._is_in = True

    def __enter__(self) -> None:
        self._token = _share.set(self)

    def __exit__(self, *_: object) -> None:
        _share.reset(self._token)
        del self._token
        if self._is_in:
            self._is_in = False
            self._gate.release()


_share: ContextVar[_Share | None] = ContextVar("share", default=None)


def expect_features() -> None:
    """Allow the body that is parsed as many values as any, because it has features.

    The contract does not say how many features an example has.
    """
    share = _share.get()
    if share is not None:
        share.most = share.most_of_any


def admit_text(text: bytes) -> None:
    """Check how many values a JSON text holds, before they are made.

    Args:
        text: the text, without what is not made into Python's objects.

    Raises:
        ServiceError: 413, they are too many.
    """
    if len(text) > _UNCOUNTED_BYTES:
        count = sum(map(text.count, _OPENING))
        if count > LARGE_BYTES:
            share = _share.get()
            if share is not None:
                share.wait()
            if count > _most(share):
                # Texts have commas, too.
                count = _count_outside_strings(text)
            _admit(count, share)


def admit_numbers(count: int) -> None:
    """Check how many numbers of an array are about to become Python's.

    Raises:
        ServiceError: 413, they are too many.
    """
    if count > LARGE_BYTES:
        share = _share.get()
        if share is not None:
            share.wait()
        _admit(count, share)


def _admit(count: int, share: _Share | None) -> None:
    most = _most(share)
    if count > most:
        where = (
            f", the most that a request of {share.max_rows} rows can have here; divide it"
            if share
            else ""
        )
        raise ServiceError(f"The body holds more than {most} values{where}.", status=413)


def _most(share: _Share | None) -> int:
    return _ALWAYS if share is None else share.most


def _count_outside_strings(text: bytes) -> int:
    if b"\\" in text:
        text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    characters = np.frombuffer(text, np.uint8)
    count, is_inside = 0, 0
    for start in range(0, len(text), _AT_ONCE):
        part = characters[start : start + _AT_ONCE]
        # Odd within a string; that it is counted modulo 256 changes nothing.
        quotes = np.cumsum(part == ord('"'), dtype=np.uint8) + np.uint8(is_inside)
        is_inside = int(quotes[-1]) & 1
        outside = part[quotes & 1 == 0]
        count += sum(int(np.count_nonzero(outside == ord(each))) for each in _OPENING)
    return count


def _size(field: Field) -> int | None:
    """Return how many values of an input a row has; ``None`` where the contract leaves it open."""
    shape = field.shape
    if shape is None or None in shape[1:]:
        return None
    return prod(size or 0 for size in shape[1:])
