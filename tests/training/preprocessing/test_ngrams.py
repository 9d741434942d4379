"""Counting n-grams by numbers, against counting them by hand."""

import numpy as np
import pytest

from training.preprocessing import ngrams

TEXTS = [b"a b a b", b"", b"b a c", b"a"]


def counted(texts: list[bytes], longest: int, at_least: int) -> dict[bytes, set[int]]:
    """Return each n-gram with its texts, found the slow way."""
    everything: dict[bytes, list[int]] = {}
    for row, text in enumerate(texts):
        words = text.split()
        for length in range(1, longest + 1):
            for start in range(len(words) - length + 1):
                gram = b" ".join(words[start : start + length])
                everything.setdefault(gram, []).append(row)
    return {gram: set(rows) for gram, rows in everything.items() if len(rows) >= at_least}


def prepared(longest: int, at_least: int) -> tuple[ngrams.Occurrences, list[bytes]]:
    spelling = [b"a", b"b", b"c"]
    words = np.array([spelling.index(w) for text in TEXTS for w in text.split()], np.int64)
    ends = np.cumsum([len(text.split()) for text in TEXTS])
    return ngrams.occurrences(words, ends, longest, at_least), spelling


@pytest.mark.parametrize("longest", [1, 2, 3])
@pytest.mark.parametrize("at_least", [1, 2])
def test_occurrences(longest: int, at_least: int) -> None:
    found, spelling = prepared(longest, at_least)
    names = ngrams.spell(found.keys, spelling)
    pairs = {(names[gram], int(row)) for gram, row in zip(found.grams, found.rows, strict=True)}
    want = counted(TEXTS, longest, at_least)
    assert pairs == {(gram, row) for gram, rows in want.items() for row in rows}
    assert len(found.rows) == len(pairs)


def test_frequencies_count_texts_of_the_chosen() -> None:
    found, spelling = prepared(1, 1)
    counts = found.frequencies(np.array([True, True, False, True]))
    assert dict(zip(ngrams.spell(found.keys, spelling), counts.tolist(), strict=True)) == {
        b"a": 2, b"b": 1, b"c": 0,
    }  # fmt: skip


def test_padded_rows_of_the_kept() -> None:
    found, spelling = prepared(1, 1)
    names = ngrams.spell(found.keys, spelling)
    kept = found.keep(np.array([names.index(b"b"), names.index(b"c")]))
    assert ngrams.spell(kept.keys, spelling) == [b"b", b"c"]
    assert kept.padded(2).tolist() == [[0, 2], [2, 2], [0, 1], [2, 2]]


def test_another_vocabulary_has_its_own_numbers() -> None:
    found, spelling = prepared(2, 1)
    vocabulary = [b"z", b"b a", b"a z", b"c", b"<pad>", b"a b"]
    keys = ngrams.keys_of(vocabulary, spelling)
    assert [key >= 0 for key in keys.tolist()] == [False, True, False, True, False, True]
    assert ngrams.spell(keys[keys >= 0], spelling) == [b"b a", b"c", b"a b"]
    renumbered = found.numbered_as(keys)
    pairs = {
        (vocabulary[gram], int(row))
        for gram, row in zip(renumbered.grams, renumbered.rows, strict=True)
    }
    assert pairs == {(b"a b", 0), (b"b a", 0), (b"b a", 2), (b"c", 2)}
