"""Own pictures: a folder that holds a folder of pictures for each class."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from service.images.preparation import UnfitPictureError, prepared
from service.images.size_limits import MOST_PIXELS
from service.repository.contract import Field
from service.repository.folder_walk import FolderTooLargeError, walk
from training.array_types import Array
from training.data.cache import cached
from training.data.dataset_types import Images
from training.data.own.bad_rows import BadRows
from training.data.own.findings import Finding, first, share
from training.data.own.holdout_split import Divided
from training.errors import TrainingError

Picture = npt.NDArray[np.uint8]

# How the problem of a file begins that the system did not let be read.
_UNREAD = "cannot be read"


def read(
    folder: Path,
    bad: BadRows,
    *,
    field: Field,
    prepare: Callable[[Any], Any],
    standard: Sequence[str],
) -> Images:
    """Read a folder of pictures by class, whatever their sizes and modes.

    The names of the sub-folders are the classes; "/" in a standard class is "_" in its folder's
    name. Pictures may be in deeper folders. Hidden files, and files beside the sub-folders, are not
    read.

    Args:
        folder: the folder.
        bad: gathers the files that are not pictures, and what the service would not take.
        field: the input of the version that takes such files.
        prepare: the TensorFlow function that the version will prepare an encoded picture with:
            string [] to float32 [height, width], 0..255; a picture that it cannot decode fails
            with InvalidArgumentError.
        standard: the names of the standard data's classes.

    Raises:
        TrainingError: too many files are bad, there are too few pictures (see ``Divided``), or
            the folder is too deep.
    """
    names = {label.replace("/", "_"): label for label in standard}
    paths = list(_files(folder))
    fingerprint = _fingerprint(folder, paths)
    decoded = cached(
        "own-pictures", fingerprint, lambda: _decode(paths, field, prepare), keep=_was_read
    )
    labels: list[str] = []
    good: list[Path] = []
    for path, problem in zip(paths, decoded["problems"].tolist(), strict=True):
        place = path.relative_to(folder)
        if problem:
            bad.add(_printable(place), problem)
        else:
            labels.append(names.get(place.parts[0], place.parts[0]))
            good.append(path)
    pictures = decoded["pictures"]
    contents = [picture.tobytes() for picture in pictures]
    places = [_printable(path.relative_to(folder)) for path in good]
    divided = Divided(folder, contents, labels, standard, bad, places=places)
    divided.findings += _empty(pictures, places)
    return Images(
        train=pictures[~divided.test],
        train_labels=divided.labels[~divided.test],
        test=pictures[divided.test],
        test_labels=divided.labels[divided.test],
        labels=divided.names,
        fingerprint=divided.fingerprint,
        own=divided.card(),
        test_files=tuple(good[row] for row in np.flatnonzero(divided.test)),
    )


def _empty(pictures: Array, places: Sequence[str]) -> Iterator[Finding]:
    flat = pictures.reshape(len(pictures), -1)
    found = [places[row] for row in np.flatnonzero(np.ptp(flat, axis=1) == 0).tolist()]
    if found:
        yield Finding(
            sentence=f"{share(len(found), len(pictures))} show nothing that stands out from the "
            f"background: {first(found)}."
        )


def _printable(path: Path) -> str:
    """Return a path on one line and in UTF-8; other bytes are escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text.replace("\n", "\\n").replace("\r", "\\r")


def _files(folder: Path) -> Iterator[Path]:
    """Yield the visible files below the sub-folders, in a fixed order."""
    found: list[Path] = []
    try:
        for parent, folders, names in walk(folder, most_entries=None):
            folders[:] = [name for name in folders if not name.startswith(".")]
            if parent != folder:
                found += [parent / name for name in names if not name.startswith(".")]
    except FolderTooLargeError as error:
        raise TrainingError(f"{folder}: {error}") from error
    yield from (path for path in sorted(found) if path.is_file())


def _fingerprint(folder: Path, paths: Sequence[Path]) -> str:
    """Return a hash that changes with the files; reading them all takes as long as decoding.

    Files that were exchanged may be as large and as old as one another, such as bitmaps from one
    archive, and of one that became readable nothing else changes than its state.
    """
    digest = hashlib.sha256()
    for path in paths:
        seen = path.stat()
        digest.update(os.fsencode(path.relative_to(folder)))
        state = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_dev, seen.st_ino)
        digest.update(f"|{state}\n".encode())
    return digest.hexdigest()


def _decode(paths: Sequence[Path], field: Field, prepare: Callable[[Any], Any]) -> dict[str, Array]:
    """Return the ``pictures`` that are good, in order, and the ``problems`` of all, "" of those."""
    decode = tf.function(prepare, input_signature=[tf.TensorSpec((), tf.string)])
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda path: _picture(path, field, decode), paths))
    good = [result for result in results if not isinstance(result, str)]
    problems = [result if isinstance(result, str) else "" for result in results]
    return {
        "pictures": np.stack(good) if good else np.zeros((0, 1, 1), np.uint8),
        "problems": np.array(problems, np.str_),
    }


def _was_read(decoded: Mapping[str, Array]) -> bool:
    """Whether all files could be read: what the system refused now may be readable in a moment."""
    return not any(problem.startswith(_UNREAD) for problem in decoded["problems"].tolist())


def _picture(path: Path, field: Field, decode: Callable[[Any], Any]) -> Picture | str:
    """Return a picture as the network gets it, or what is wrong with the file."""
    if _printable(path.parent) != str(path.parent):
        return "is in a folder whose name is not UTF-8, or has line breaks: it cannot name a class"
    try:
        encoded = path.read_bytes()
    except OSError as error:
        return f"{_UNREAD}: {error.strerror}"
    return picture_of(encoded, field, decode)


def picture_of(encoded: bytes, field: Field, decode: Callable[[Any], Any]) -> Picture | str:
    """Return a picture as the network gets it, or what is wrong with its file.

    Args:
        encoded: the file.
        field: as ``read`` takes it.
        decode: likewise its ``prepare``.
    """
    try:
        sent = as_sent(encoded, field)
        return np.asarray(np.rint(decode(tf.constant(sent)).numpy()), np.uint8)
    except UnfitPictureError as error:
        return str(error).rstrip(".")
    except tf.errors.InvalidArgumentError:
        return "is not a complete PNG, JPEG, GIF or BMP"


def as_sent(encoded: bytes, field: Field) -> bytes:
    """Return a file as the graph gets it from the service, which checks and prepares it.

    Args:
        encoded: the file.
        field: the input of the version that takes it.

    Raises:
        UnfitPictureError: the service, with its default settings, would refuse it.
    """
    if field.max_length is not None and len(encoded) > field.max_length:
        raise UnfitPictureError(
            f"Expected a file of at most {field.max_length} bytes, not {len(encoded)}."
        )
    return prepared(encoded, field.content_types, MOST_PIXELS)
