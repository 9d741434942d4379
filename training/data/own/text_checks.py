"""Checks texts: whether they are language, and whether a word gives their class away."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from training.console.number_format import percentage
from training.data.own.findings import Finding, first, share

# Names, keywords and titles have few words as well; half of all rows is not an accident.
_MANY = 0.5
# So many texts of a class hold its name, and so few of the others: the name gives the class away.
_GIVEN_AWAY, _OTHERWISE = 0.9, 0.1
# A word that no other class has, and nearly each text of this one: language is not like that.
_MARKED, _UNMARKED = 0.98, 0.02
# Of so many texts of a class, spread over all, it is looked for.
_LOOKED_AT = 200
_WORDS = re.compile(r"[^\W\d_]+")


def loosely(text: bytes) -> bytes:
    """Return a text in the form that it shares with those that differ in case and blanks alone."""
    return b" ".join(text.decode().casefold().encode().split())


def check_texts(
    texts: Sequence[bytes],
    labels: npt.NDArray[np.int64],
    names: Sequence[str],
    places: Sequence[str],
) -> Iterator[Finding]:
    """Yield the findings on texts with their classes, [N] each."""
    words = [[word.casefold() for word in _WORDS.findall(text.decode())] for text in texts]
    for most, what in ((0, "no word (are they numbers, dates or ids?)"), (1, "one word")):
        found = [place for place, held in zip(places, words, strict=True) if len(held) == most]
        if len(found) > _MANY * len(texts):
            yield Finding(sentence=f"{share(len(found), len(texts))} have {what}: {first(found)}.")
    for label, name in enumerate(names):
        wanted = [word.casefold() for word in _WORDS.findall(name)]
        if not wanted:
            continue
        holds = np.array([_holds(found, wanted) for found in words])
        inside, outside = holds[labels == label].mean(), holds[labels != label].mean()
        if inside >= _GIVEN_AWAY and outside <= _OTHERWISE:
            yield Finding(
                sentence=f"{percentage(inside)} of the texts of class {name!r} hold the word "
                f"{name!r}, and {percentage(outside)} of the others: the model will rely on it. "
                "Will texts that are asked about have it?"
            )
    yield from _marks(texts, labels, names)


def _marks(
    texts: Sequence[bytes], labels: npt.NDArray[np.int64], names: Sequence[str]
) -> Iterator[Finding]:
    """Yield which classes one word gives away: a source, a footer, a number that says the class.

    Words that are the class' name are reported elsewhere.
    """
    rows = [np.flatnonzero(labels == label) for label in range(len(names))]
    # Everything between blanks, since marks are not always language.
    seen = [
        [
            frozenset(loosely(texts[row]).split())
            for row in of_class[:: max(1, len(of_class) // _LOOKED_AT)]
        ]
        for of_class in rows
    ]
    for label, name in enumerate(names):
        own = {word.casefold().encode() for word in name.split()}
        others = [words for at, every in enumerate(seen) if at != label for words in every]
        found = [
            mark
            for mark in sorted(frozenset().union(*seen[label][:3]) - own)
            if _share(mark, seen[label]) >= _MARKED and _share(mark, others) <= _UNMARKED
        ]
        if found:
            shown = first([repr(mark.decode()) for mark in found])
            yield Finding(
                sentence=f"Nearly all texts of class {name!r} hold {shown}, and hardly any others: "
                "the model will rely on it. Will texts that are asked about have it?"
            )


def _share(mark: bytes, texts: Sequence[frozenset[bytes]]) -> float:
    return sum(mark in words for words in texts) / max(1, len(texts))


def _holds(words: Sequence[str], wanted: Sequence[str]) -> bool:
    count = len(wanted)
    return any(words[at : at + count] == wanted for at in range(len(words) - count + 1))
