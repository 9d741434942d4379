"""Splits texts into words, and turns words into numbers, in a TensorFlow graph."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from training.array_types import Ints
from training.errors import TrainingError

_VOCABULARY = "vocabulary.txt"
# Texts that are split at once.
_CHUNK = 1_000


def words(text: Any, most_bytes: int) -> Any:
    """Split texts, string [N], into words, string [N, (words)], inside the graph.

    Tags such as HTML breaks are removed, upper case becomes lower case, and characters other than
    letters, digits and apostrophes divide words; "!" and "?" are words of their own, because they
    express sentiment. Bytes that are not UTF-8 divide words as well. Of each text the first
    ``most_bytes`` are read.
    """
    text = tf.strings.substr(text, 0, most_bytes)
    text = tf.strings.regex_replace(text, r"<[^>]*>", " ")
    text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(text, r"[^\p{L}\p{N}'!?]+", " ")
    text = tf.strings.regex_replace(text, r"([!?])", r" \1 ")
    return tf.strings.split(text)


def numbered(texts: Sequence[bytes], most_bytes: int) -> tuple[Ints, Ints, list[bytes]]:
    """Split texts as the graph does; return all words' numbers, the texts' ends, the words."""
    numbers: dict[bytes, int] = {}
    found, lengths = [], []
    for start in range(0, len(texts), _CHUNK):
        ragged = words(tf.constant(texts[start : start + _CHUNK], tf.string), most_bytes)
        distinct, index = tf.unique(ragged.flat_values)
        mapped = [numbers.setdefault(word, len(numbers)) for word in distinct.numpy()]
        found.append(np.array(mapped, np.int64)[index.numpy()])
        lengths.append(ragged.row_lengths().numpy())
    return np.concatenate(found), np.cumsum(np.concatenate(lengths)), list(numbers)


def saved_vocabulary(version: Path) -> list[bytes]:
    """Return the vocabulary in the assets of the version in the folder ``version``.

    Raises:
        TrainingError: the version has no vocabulary that can be read.
    """
    try:
        return (version / "assets" / _VOCABULARY).read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise TrainingError(f"{version} brings no vocabulary: {error.strerror}.") from error


def lookup_table(
    owner: tf.Module, vocabulary: Sequence[bytes], default: int
) -> tf.lookup.StaticHashTable:
    """Return a table from word or n-gram to its number, its place in the vocabulary.

    It is initialised from a file, which is one of the version's assets: a constant of this size
    in the graph would make loading slow. The file lives as long as ``owner``.
    """
    folder = tempfile.mkdtemp()
    weakref.finalize(owner, shutil.rmtree, folder)
    path = Path(folder) / _VOCABULARY
    path.write_bytes(b"\n".join(vocabulary) + b"\n")
    initializer = tf.lookup.TextFileInitializer(
        str(path),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(initializer, default)
