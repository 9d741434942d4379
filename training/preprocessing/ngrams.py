"""Count n-grams of a whole collection of texts without making a string of each.

Words are numbers here; an n-gram of up to three words is one 64-bit key.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.array_types import Ints
from training.errors import TrainingError

# Three words of 21 bits fill the 63 bits of a positive int64.
_BITS = 21
LONGEST = 3


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Which n-grams occur in which texts, each pair once, ordered by text.

    Attributes:
        texts: the number of texts.
        rows: the text of each pair, ascending, [pairs].
        grams: its n-gram, an index into ``keys``, [pairs].
        keys: the n-grams' keys, [n-grams].
    """

    texts: int
    rows: Ints
    grams: Ints
    keys: Ints

    def frequencies(self, chosen: npt.NDArray[np.bool_]) -> Ints:
        """Return for each n-gram the number of ``chosen`` texts (a mask) that it occurs in."""
        return np.bincount(self.grams[chosen[self.rows]], minlength=len(self.keys))

    def keep(self, grams: Ints) -> "Occurrences":
        """Return only these n-grams, in this order."""
        position = np.full(len(self.keys), -1, np.int64)
        position[grams] = np.arange(len(grams))
        moved = position[self.grams]
        known = moved >= 0
        return Occurrences(self.texts, self.rows[known], moved[known], self.keys[grams])

    def numbered_as(self, keys: Ints) -> "Occurrences":
        """Return only the n-grams of these keys, numbered in their order; a key of -1 is unused."""
        order = np.argsort(keys)
        place = np.searchsorted(keys, self.keys, sorter=order).clip(max=len(keys) - 1)
        found = order[place]
        position = np.where(keys[found] == self.keys, found, -1)
        moved = position[self.grams]
        known = moved >= 0
        return Occurrences(self.texts, self.rows[known], moved[known], keys)

    def padded(self, fill: int) -> npt.NDArray[np.int32]:
        """Return each text's n-grams as a row, filled up at its end: int32 [texts, longest]."""
        lengths = np.bincount(self.rows, minlength=self.texts)
        starts = np.cumsum(lengths) - lengths
        table = np.full((self.texts, max(1, lengths.max(initial=0))), fill, np.int32)
        table[self.rows, np.arange(len(self.rows)) - starts[self.rows]] = self.grams
        return table


def occurrences(words: Ints, ends: Ints, longest: int, at_least: int) -> Occurrences:
    """Find the n-grams of 1 to ``longest`` words in a collection of texts.

    Args:
        words: the number of each word, from 0, of all texts one after the other, [words].
        ends: where each text ends in ``words``, [texts].
        longest: at most ``LONGEST``.
        at_least: how often an n-gram must occur in the whole collection to be kept.

    Raises:
        TrainingError: there are too many distinct words.
    """
    assert longest <= LONGEST
    most = (1 << _BITS) - 2
    if words.max(initial=-1) + 1 > most:
        raise TrainingError(
            f"The texts have {words.max() + 1:,} distinct words; at most {most:,} can be "
            "distinguished. Leave rows out, or parts that are not language: numbers, identifiers, "
            "other encodings."
        )
    text = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    rows, keys = [], []
    for length in range(1, longest + 1):
        count = max(0, len(words) - length + 1)
        within = text[:count] == text[length - 1 :]
        key = np.zeros(count, np.int64)
        for offset in range(length):
            # Numbers begin at 1 in a key, so that a shorter n-gram never equals a longer one.
            key = (key << _BITS) | (words[offset : offset + count] + 1)
        rows.append(text[:count][within])
        keys.append(key[within])
    distinct, grams, counts = np.unique(
        np.concatenate(keys), return_inverse=True, return_counts=True
    )
    frequent = counts >= at_least
    known = frequent[grams]
    position = np.cumsum(frequent) - 1
    size = int(frequent.sum())
    pairs = np.unique(np.concatenate(rows)[known] * size + position[grams[known]])
    return Occurrences(len(ends), pairs // size, pairs % size, distinct[frequent])


def keys_of(grams: Sequence[bytes], words: Sequence[bytes]) -> Ints:
    """Return the keys of spelled n-grams, [n-grams]; -1 where a word is not among ``words``."""
    number = {word: index for index, word in enumerate(words)}
    keys = np.full(len(grams), -1, np.int64)
    for place, gram in enumerate(grams):
        numbers = [number.get(word, -1) for word in gram.split(b" ")]
        if min(numbers) >= 0:
            key = 0
            for index in numbers:
                key = (key << _BITS) | (index + 1)
            keys[place] = key
    return keys


def spell(keys: Ints, words: Sequence[bytes]) -> list[bytes]:
    """Return the n-grams of ``keys`` as words with a space between them."""
    mask = (1 << _BITS) - 1
    spelled = []
    for key in keys.tolist():
        parts = []
        while key:
            parts.append(words[(key & mask) - 1])
            key >>= _BITS
        spelled.append(b" ".join(reversed(parts)))
    return spelled
