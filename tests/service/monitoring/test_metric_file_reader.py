"""Files are read as prometheus_client writes them, while they grow, and when they are damaged."""

import struct
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from service.monitoring import metric_file_reader
from service.monitoring.metric_file_reader import read_values
from service.monitoring.prometheus_internals import key_of


def key(number: int) -> str:
    # Of all lengths, since keys are padded; and not all characters take one byte.
    return key_of("m", "m_total", ["a"], ["\u00e9" * number], "Help.")


def test_a_file_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    file = MmapedDict(str(path))
    assert list(read_values(path)) == []
    for number in range(20):
        file.write_value(key(number), number + 0.5, 3.0)
        file.write_value(key(0), -number, 4.0)
        known = MmapedDict.read_all_values_from_file(str(path))
        assert list(read_values(path)) == [entry[:3] for entry in known]
    file.close()


def test_keys_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    file = MmapedDict(str(path))
    file.write_value(key(1), 1.0, 0.0)
    ((before, _, _),) = read_values(path)
    file.write_value(key(2), 2.0, 0.0)
    (after, _, _), _ = read_values(path)
    assert after is before
    file.close()


def test_another_file_of_that_name_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    for numbers in ((1, 2, 3), (4,)):
        path.unlink(missing_ok=True)
        file = MmapedDict(str(path))
        for number in numbers:
            file.write_value(key(number), number, 0.0)
        assert [found for found, _, _ in read_values(path)] == [key(n) for n in numbers]
        file.close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        struct.pack("=ii", 64, 0),
        struct.pack("=ii", 13, 0) + bytes(5),
        struct.pack("=iii", 40, 0, 1000) + bytes(28),
        struct.pack("=iii", 40, 0, -8) + bytes(28),
        struct.pack("=iii4s", 32, 0, 3, b"\xff\xff\xff ") + bytes(16),
    ],
)
def test_what_is_no_such_file_is_named_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "counter_1.db"
    path.write_bytes(content)
    with pytest.raises((ValueError, struct.error)):
        read_values(path)


def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"counter_{number}.db"
        MmapedDict(str(path)).close()
        read_values(path)
        path.unlink()
    assert [known for known in metric_file_reader._layouts if known.parent == tmp_path] == [path]
