"""Fashion-MNIST: pictures of garments in gzipped IDX files (Xiao et al. 2017)."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.cache import parsed
from training.data.dataset_location import DataSet, Found
from training.data.dataset_types import Images
from training.data.download import Remote
from training.errors import TrainingError

_HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
FASHION_MNIST = DataSet(
    name="fashion-mnist",
    files=tuple(
        Remote(name=name, url=f"{_HOME}/{name}", algorithm="sha256", digest=digest)
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
# IDX: two zero bytes, the type (8 is uint8), the number of dimensions; then big-endian sizes.
_IDX_UINT8 = 8


def read(found: Found) -> Images:
    """Read Fashion-MNIST: 60,000 and 10,000 pictures of 28 x 28 (Xiao et al. 2017).

    Raises:
        TrainingError: a file is not gzipped IDX, or pictures and labels do not pair.
    """
    arrays = parsed(FASHION_MNIST, found, _parse)
    return Images(
        train=arrays["train"],
        train_labels=arrays["train_labels"],
        test=arrays["test"],
        test_labels=arrays["test_labels"],
        labels=GARMENTS,
        fingerprint=found.fingerprint(),
    )


def _parse(found: Found) -> dict[str, npt.NDArray[np.generic]]:
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
