"""TFRecord files: records with their lengths, each with a checksum (CRC-32C, masked).

Reading stops at the first record that is not whole, so that no length in a file makes a process
allocate what is not there.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.safe_open import open_file

_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected
_MASK = 0xA282EAD8


def _table() -> tuple[tuple[int, ...], ...]:
    """Return eight tables, by which eight bytes are taken in one step."""
    first = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        first.append(value)
    tables = [first]
    for _ in range(7):
        tables.append([first[value & 255] ^ value >> 8 for value in tables[-1]])
    return tuple(map(tuple, tables))


_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7 = _table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of ``data`` (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    whole = len(data) & ~7
    for low, high in struct.iter_unpack("<II", data[:whole]):
        low ^= crc
        crc = (
            _T7[low & 255]
            ^ _T6[low >> 8 & 255]
            ^ _T5[low >> 16 & 255]
            ^ _T4[low >> 24]
            ^ _T3[high & 255]
            ^ _T2[high >> 8 & 255]
            ^ _T1[high >> 16 & 255]
            ^ _T0[high >> 24]
        )
    for byte in data[whole:]:
        crc = _T0[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """Return the checksum that stands in a file for ``data``."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def records_in(path: Path, *, most: int, most_bytes: int) -> Iterator[bytes]:
    """Yield the records of a file.

    Args:
        path: the file.
        most: the most records that it may have.
        most_bytes: the most bytes of one record.

    Raises:
        OSError: the file cannot be read.
        RepositoryError: a record is not whole, or is too large, or there are too many; the
            message says which.
    """
    with open_file(path) as file:
        number = 0
        while head := file.read(_HEAD.size):
            number += 1
            if number > most:
                raise RepositoryError(f"It has more than {most} records.")
            place = f"Record {number}"
            if len(head) < _HEAD.size:
                raise RepositoryError(f"{place}: The file ends in its length; it is truncated.")
            length, checksum = _HEAD.unpack(head)
            if masked_crc32c(head[:8]) != checksum:
                raise RepositoryError(
                    f"{place}: The checksum of its length is wrong; the file is damaged, or is not "
                    "a TFRecord file."
                )
            if length > most_bytes:
                raise RepositoryError(
                    f"{place}: It has {length} bytes; at most {most_bytes} are read."
                )
            data = file.read(length)
            tail = file.read(_TAIL.size)
            if len(data) < length or len(tail) < _TAIL.size:
                raise RepositoryError(f"{place}: The file ends within it; it is truncated.")
            if masked_crc32c(data) != _TAIL.unpack(tail)[0]:
                raise RepositoryError(f"{place}: Its checksum is wrong; the file is damaged.")
            yield data
