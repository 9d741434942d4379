"""The data sets: what each is, and how its files are parsed. One function a data set."""

import gzip
import io
import re
import struct
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.cache import parsed
from training.data.download import Remote
from training.data.locate import DataSet, Found
from training.errors import TrainingError

_FASHION_MNIST_HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"

FASHION_MNIST = DataSet(
    name="fashion-mnist",
    files=tuple(
        Remote(name=name, url=f"{_FASHION_MNIST_HOME}/{name}", algorithm="sha256", digest=digest)
        for name, digest in (
            (
                "train-images-idx3-ubyte.gz",
                "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
            ),
            (
                "train-labels-idx1-ubyte.gz",
                "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
            ),
            (
                "t10k-images-idx3-ubyte.gz",
                "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
            ),
            (
                "t10k-labels-idx1-ubyte.gz",
                "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
            ),
        )
    ),
    folder="fashion-mnist",
    packages=(Path("/usr/share/datasets/fashion-mnist"),),  # Debian: dataset-fashion-mnist
    homepage="https://github.com/zalandoresearch/fashion-mnist",
)
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

IMDB = DataSet(
    name="imdb",
    files=(
        Remote(
            name="aclImdb_v1.tar.gz",
            url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
            algorithm="md5",  # of the published archive; it is the only digest at hand
            digest="7c2ac02c03563afcf9b574c7e56c153a",
        ),
    ),
    folder="",
    packages=(),
    homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
)
SENTIMENTS = ("negative", "positive")

AUTO_MPG = DataSet(
    name="auto-mpg",
    files=(
        Remote(
            name="auto-mpg.data",
            url="https://archive.ics.uci.edu/ml/machine-learning-databases/auto-mpg/auto-mpg.data",
            algorithm="sha256",
            digest="48b830e11feee5572525f8f1691ddb9d38d3d7b7063edcd8fca672c2a5e17d8d",
        ),
    ),
    folder="",
    # None: the cars.json of vega_datasets has 1981 and 1982 in one, so it is not the same data.
    packages=(),
    homepage="https://archive.ics.uci.edu/dataset/9/auto+mpg",
)
ORIGINS = ("usa", "europe", "japan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Pictures with their classes, divided into what is learned from and what is measured with.

    Attributes:
        train: uint8 [N, height, width], grey values 0..255.
        train_labels: int64 [N], 0-based.
        test: like ``train``.
        test_labels: like ``train_labels``.
        labels: the names of the classes.
        fingerprint: SHA-256 of the content.
        own: what the card says of data that a user brought, as JSON; ``None`` for the published
            data set.
        test_files: where each picture of ``test`` came from; empty for the published data set.
    """

    train: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    fingerprint: str
    own: Mapping[str, Any] | None = None
    test_files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts with their classes, divided into what is learned from and what is measured with.

    Attributes:
        train: UTF-8 bytes as they were written, one object a text.
        train_labels: int64 [N], 0-based.
        test: like ``train``.
        test_labels: like ``train_labels``.
        labels: the names of the classes.
        fingerprint: SHA-256 of the content.
        own: as in ``Images``.
        test_originals: of each text of ``test`` its place in the file and how it stands there,
            blanks around it included; empty for the published data set.
    """

    train: list[bytes]
    train_labels: npt.NDArray[np.int64]
    test: list[bytes]
    test_labels: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    fingerprint: str
    own: Mapping[str, Any] | None = None
    test_originals: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cars with their consumption.

    Attributes:
        numbers: float32 [N] for each numeric column, by name; NaN is unknown.
        origin: the region that a car was made in, [N].
        origins: all regions, in the order of the network's inputs.
        mpg: float32 [N], miles to the US gallon.
        names: of the cars, [N].
        fingerprint: SHA-256 of the content.
        own: as in ``Images``.
    """

    numbers: dict[str, npt.NDArray[np.float32]]
    origin: npt.NDArray[np.str_]
    origins: tuple[str, ...]
    mpg: npt.NDArray[np.float32]
    names: npt.NDArray[np.str_]
    fingerprint: str
    own: Mapping[str, Any] | None = None


def fashion_mnist(found: Found) -> Images:
    """Read Fashion-MNIST: 60,000 and 10,000 pictures of 28 x 28 (Xiao et al. 2017).

    Raises:
        TrainingError: a file is not gzipped IDX, or pictures and labels do not pair.
    """
    arrays = parsed(FASHION_MNIST, found, _parse_fashion_mnist)
    return Images(
        train=arrays["train"],
        train_labels=arrays["train_labels"],
        test=arrays["test"],
        test_labels=arrays["test_labels"],
        labels=GARMENTS,
        fingerprint=found.fingerprint(),
    )


def imdb(found: Found) -> Texts:
    """Read the labelled reviews of the Large Movie Review Dataset (Maas et al. 2011).

    An archive is judged by what it holds, 12,500 reviews of each kind, not by its digest: copies
    without the unlabelled reviews are common.

    Raises:
        TrainingError: the file is no such archive.
    """
    arrays = parsed(IMDB, found, _parse_imdb)
    return Texts(
        train=_split(arrays["train"], arrays["train_ends"]),
        train_labels=arrays["train_labels"],
        test=_split(arrays["test"], arrays["test_ends"]),
        test_labels=arrays["test_labels"],
        labels=SENTIMENTS,
        fingerprint=found.fingerprint(),
    )


def auto_mpg(found: Found) -> Table:
    """Read Auto MPG: 398 cars of the years 1970 to 1982 (Quinlan 1993).

    Raises:
        TrainingError: a line is not as the data set describes it; the message names it.
    """
    arrays = parsed(AUTO_MPG, found, _parse_auto_mpg)
    return Table(
        numbers={name: arrays[name] for name in CAR_NUMBERS},
        origin=arrays["origin"],
        origins=ORIGINS,
        mpg=arrays["mpg"],
        names=arrays["names"],
        fingerprint=found.fingerprint(),
    )


# The numeric columns after mpg, as they stand in a line.
CAR_NUMBERS = (
    "cylinders",
    "displacement",
    "horsepower",
    "weight",
    "acceleration",
    "model_year",
)
_ORIGIN_CODES = dict(zip("123", ORIGINS, strict=True))
_CAR_LINE = re.compile(r'(?P<fields>[\d.?\s]+)\t"(?P<name>[^"]*)"')

_REVIEW = re.compile(r"aclImdb/(train|test)/(pos|neg)/(\d+)_\d+\.txt")
_REVIEWS_OF_A_KIND = 12_500

# IDX: two zero bytes, the type (8 is uint8), the number of dimensions; then big-endian sizes.
_IDX_UINT8 = 8


def _parse_fashion_mnist(found: Found) -> dict[str, npt.NDArray[np.generic]]:
    train, train_labels, test, test_labels = map(_read_idx, found.paths)
    for images, labels, path in ((train, train_labels, 0), (test, test_labels, 2)):
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise TrainingError(
                f"{found.paths[path]} has pictures of shape {images.shape}, "
                f"its labels have shape {labels.shape}: they do not pair."
            )
    return {
        "train": train,
        "train_labels": train_labels.astype(np.int64),
        "test": test,
        "test_labels": test_labels.astype(np.int64),
    }


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise TrainingError(f"{path} is not a whole gzip file: {error}.") from error
    if len(content) < 4 or content[:3] != bytes((0, 0, _IDX_UINT8)):
        raise TrainingError(f"{path} is not an IDX file of bytes.")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != np.prod(shape):
        raise TrainingError(f"{path} holds {len(content) - start} values, not {shape}.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _parse_imdb(found: Found) -> dict[str, npt.NDArray[np.generic]]:
    (path,) = found.paths
    reviews: dict[str, list[tuple[int, int, bytes]]] = {"train": [], "test": []}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                match = _REVIEW.fullmatch(member.name)
                file = archive.extractfile(member) if match else None
                if match and file:
                    label = int(match[2] == "pos")
                    reviews[match[1]].append((label, int(match[3]), file.read()))
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise TrainingError(f"{path} is not a whole tar.gz archive: {error}.") from error
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for split, rows in reviews.items():
        rows.sort(key=lambda row: row[:2])
        labels = np.array([label for label, _, _ in rows], np.int64)
        counts = [int((labels == kind).sum()) for kind in (0, 1)]
        if counts != [_REVIEWS_OF_A_KIND] * 2:
            raise TrainingError(
                f"{path} has {counts[1]} positive and {counts[0]} negative reviews in {split}, "
                f"not {_REVIEWS_OF_A_KIND} each."
            )
        texts = [text for _, _, text in rows]
        arrays[split] = np.frombuffer(b"".join(texts), np.uint8)
        arrays[f"{split}_ends"] = np.cumsum([len(text) for text in texts])
        arrays[f"{split}_labels"] = labels
    return arrays


def _split(content: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> list[bytes]:
    whole = io.BytesIO(content.tobytes())
    return [whole.read(size) for size in np.diff(ends, prepend=0)]


def _parse_auto_mpg(found: Found) -> dict[str, npt.NDArray[np.generic]]:
    (path,) = found.paths
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}.") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _CAR_LINE.fullmatch(line)
        values = match["fields"].split() if match else []
        if match is None or len(values) != 8 or values[-1] not in _ORIGIN_CODES:
            raise TrainingError(f"{path}, line {number}: {line!r} is no car of Auto MPG.")
        try:
            numbers = [float("nan") if value == "?" else float(value) for value in values[:7]]
        except ValueError as error:
            raise TrainingError(f"{path}, line {number}: {error}.") from error
        rows.append((numbers, _ORIGIN_CODES[values[-1]], match["name"]))
    if not rows:
        raise TrainingError(f"{path} holds no cars.")
    columns = np.array([numbers for numbers, _, _ in rows], np.float32).T
    return {
        "mpg": columns[0],
        **dict(zip(CAR_NUMBERS, columns[1:], strict=True)),
        "origin": np.array([origin for _, origin, _ in rows]),
        "names": np.array([name for _, _, name in rows]),
    }
