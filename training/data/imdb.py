"""The Large Movie Review Dataset (IMDB): film reviews, half of them positive (Maas et al. 2011)."""

import io
import re
import tarfile
import zlib

import numpy as np
import numpy.typing as npt

from training.data.cache import parsed
from training.data.dataset_location import DataSet, Found
from training.data.dataset_types import Texts
from training.data.download import Remote
from training.errors import TrainingError

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
_REVIEW = re.compile(r"aclImdb/(train|test)/(pos|neg)/(\d+)_\d+\.txt")
_REVIEWS_OF_A_KIND = 12_500


def read(found: Found) -> Texts:
    """Read the labelled reviews of the Large Movie Review Dataset (Maas et al. 2011).

    An archive is recognised by what it holds, 12,500 reviews of each kind, not by its digest:
    copies without the unlabelled reviews are common.

    Raises:
        TrainingError: the file is not such an archive.
    """
    arrays = parsed(IMDB, found, _parse)
    return Texts(
        train=_split(arrays["train"], arrays["train_ends"]),
        train_labels=arrays["train_labels"],
        test=_split(arrays["test"], arrays["test_ends"]),
        test_labels=arrays["test_labels"],
        labels=SENTIMENTS,
        fingerprint=found.fingerprint(),
    )


def _parse(found: Found) -> dict[str, npt.NDArray[np.generic]]:
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
