"""Own pictures: a folder that holds a folder of pictures for each class."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from training.datasets import Images
from training.owndata.badrows import BadRows
from training.owndata.division import Divided

Picture = npt.NDArray[np.uint8]


def read(
    folder: Path, bad: BadRows, *, prepare: Callable[[Any], Any], standard: Sequence[str]
) -> Images:
    """Read a folder of pictures by class, whatever their sizes and modes.

    The names of the sub-folders are the classes; "/" in a standard class is "_" in its folder's
    name. Pictures may lie deeper. Hidden files, and files beside the sub-folders, are not read.

    Args:
        folder: the folder.
        bad: gathers the files that are no pictures.
        prepare: the TensorFlow function that the version will prepare an encoded picture with:
            string [] to float32 [height, width], 0..255; a picture that it cannot decode fails
            with InvalidArgumentError.
        standard: the names of the standard data's classes.

    Raises:
        TrainingError: too many files are bad, or there are too few pictures; see ``Divided``.
    """
    names = {label.replace("/", "_"): label for label in standard}
    paths = list(_files(folder))
    prepared = tf.function(prepare, input_signature=[tf.TensorSpec((), tf.string)])
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda path: _picture(path, prepared), paths))
    pictures: list[Picture] = []
    labels: list[str] = []
    for path, result in zip(paths, results, strict=True):
        place = path.relative_to(folder)
        if isinstance(result, str):
            bad.add(str(place), result)
            continue
        pictures.append(result)
        labels.append(names.get(place.parts[0], place.parts[0]))
    divided = Divided(folder, [picture.tobytes() for picture in pictures], labels, standard, bad)
    stacked = np.stack(pictures)
    return Images(
        train=stacked[~divided.test],
        train_labels=divided.labels[~divided.test],
        test=stacked[divided.test],
        test_labels=divided.labels[divided.test],
        labels=divided.names,
        fingerprint=divided.fingerprint,
        own=divided.card(),
    )


def _files(folder: Path) -> Iterator[Path]:
    """Yield the visible files below the sub-folders, in a fixed order."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if len(parts) > 1 and not any(part.startswith(".") for part in parts) and path.is_file():
            yield path


def _picture(path: Path, prepared: Callable[[Any], Any]) -> Picture | str:
    """Return a picture as its class will be told from, or what is wrong with the file."""
    try:
        pixels = prepared(tf.constant(path.read_bytes())).numpy()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except tf.errors.InvalidArgumentError:
        return "is no whole PNG, JPEG, GIF or BMP"
    return np.asarray(np.rint(pixels), np.uint8)
