"""Parsing the files of the three data sets, and refusing what they are not."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from training.data import auto_mpg, fashion_mnist, imdb
from training.data.dataset_location import Found
from training.errors import TrainingError

CAR = '18.0   8   307.0      130.0      3504.      12.0   70  1\t"chevrolet chevelle malibu"\n'


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return gzip.compress(head + values.astype(np.uint8).tobytes(), mtime=0)


def fashion(folder: Path, *contents: bytes) -> Found:
    paths = []
    for file, content in zip(fashion_mnist.FASHION_MNIST.files, contents, strict=True):
        paths.append(folder / file.name)
        paths[-1].write_bytes(content)
    return Found(tuple(paths), "test")


def test_fashion_mnist(tmp_path: Path) -> None:
    train, test = np.arange(3 * 4).reshape(3, 2, 2), np.ones((1, 2, 2))
    found = fashion(tmp_path, idx(train), idx(np.array([2, 0, 1])), idx(test), idx(np.array([9])))
    for _ in range(2):  # parsed, and from the cache
        data = fashion_mnist.read(found)
        assert data.train.tolist() == train.tolist()
        assert data.train.dtype == np.uint8
        assert data.train_labels.tolist() == [2, 0, 1]
        assert data.test_labels.tolist() == [9]
    assert len(list((tmp_path / "cache" / "understudy").iterdir())) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b"no gzip", "is not a whole gzip file"),
        (gzip.compress(b"no idx", mtime=0), "is not an IDX file of bytes"),
        (idx(np.array([1, 2, 3]))[:-9], "is not a whole gzip file"),
        (
            gzip.compress(gzip.decompress(idx(np.array([1, 2])))[:-1], mtime=0),
            "holds 1 values, not",
        ),
        (idx(np.array([1])), "they do not pair"),
    ],
)
def test_fashion_mnist_that_is_damaged(tmp_path: Path, labels: bytes, message: str) -> None:
    images = idx(np.zeros((2, 2, 2)))
    with pytest.raises(TrainingError, match=message):
        fashion_mnist.read(fashion(tmp_path, images, labels, images, idx(np.zeros(2))))


def archive(path: Path, texts: dict[str, bytes]) -> Found:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return Found((path,), "test")


def test_imdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imdb, "_REVIEWS_OF_A_KIND", 2)
    texts = {
        f"aclImdb/{split}/{kind}/{number}_7.txt": f"{split} {kind} {number}é".encode()
        for split in ("train", "test")
        for kind in ("pos", "neg")
        for number in (10, 9)
    }
    found = archive(tmp_path / "a.tar.gz", texts | {"aclImdb/train/unsup/0_0.txt": b"no label"})
    for _ in range(2):
        data = imdb.read(found)
        assert [text.decode() for text in data.train] == [
            "train neg 9é", "train neg 10é", "train pos 9é", "train pos 10é",
        ]  # fmt: skip
        assert data.train_labels.tolist() == [0, 0, 1, 1]
        assert data.test[0] == "test neg 9é".encode()


def test_imdb_with_too_few_reviews(tmp_path: Path) -> None:
    found = archive(tmp_path / "a.tar.gz", {"aclImdb/train/pos/0_7.txt": b"good"})
    with pytest.raises(
        TrainingError, match="has 1 positive and 0 negative reviews in train, not 12500 each"
    ):
        imdb.read(found)


def test_imdb_that_is_cut_off(tmp_path: Path) -> None:
    found = archive(tmp_path / "a.tar.gz", {"aclImdb/train/pos/0_7.txt": bytes(10_000)})
    found.paths[0].write_bytes(found.paths[0].read_bytes()[:-20])
    with pytest.raises(TrainingError, match=r"is not a whole tar\.gz archive"):
        imdb.read(found)


def cars(folder: Path, text: str) -> Found:
    (folder / "auto-mpg.data").write_text(text)
    return Found((folder / "auto-mpg.data",), "test")


def test_auto_mpg(tmp_path: Path) -> None:
    unknown = '25.0   4   98.00      ?          2046.      19.0   71  3\t"ford pinto"\n'
    data = auto_mpg.read(cars(tmp_path, CAR + "\n" + unknown))
    assert data.mpg.tolist() == [18, 25]
    assert data.numbers["weight"].tolist() == [3504, 2046]
    assert np.isnan(data.numbers["horsepower"]).tolist() == [False, True]
    assert data.origin.tolist() == ["usa", "japan"]
    assert data.names.tolist() == ["chevrolet chevelle malibu", "ford pinto"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CAR + "<html>\n", "line 2: '<html>' is not a car of"),
        (CAR.replace("  1\t", "  4\t"), "line 1: .* is not a car of"),
        (CAR.replace("3504.", "3.5.4"), "line 1: could not convert"),
        ("", "holds no cars"),
    ],
)
def test_auto_mpg_that_is_something_else(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        auto_mpg.read(cars(tmp_path, text))


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    found = cars(tmp_path, CAR)
    auto_mpg.read(found)
    (path,) = (tmp_path / "cache" / "understudy").iterdir()
    path.write_bytes(path.read_bytes()[:50])
    assert auto_mpg.read(found).mpg.tolist() == [18]


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert auto_mpg.read(cars(tmp_path, CAR)).mpg.tolist() == [18]


def test_the_real_data_is_what_the_papers_say(
    found_clothing: Found, found_mpg: Found, found_sentiment: Found
) -> None:
    images = fashion_mnist.read(found_clothing)
    assert images.train.shape == (60_000, 28, 28)
    assert np.bincount(images.test_labels).tolist() == [1_000] * 10
    table = auto_mpg.read(found_mpg)
    assert len(table.mpg) == 398
    assert int(np.isnan(table.numbers["horsepower"]).sum()) == 6
    texts = imdb.read(found_sentiment)
    assert [len(texts.train), len(texts.test)] == [25_000, 25_000]
