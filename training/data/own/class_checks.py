"""Checks rows with classes: texts and pictures."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.data.own.findings import Finding, first, share
from training.evaluation.intervals import wilson

# The largest class to the smallest. Beyond it accuracy says little of the small one: who never
# finds it is right in 10 of 11 cases.
_LOPSIDED = 10
# Of fewer test rows of a class even a perfect recall may be below a half (Wilson: 4 of 4 is 0.51
# or more).
_FEW_OF_A_CLASS = 5
# Below it the 95 % interval of an accuracy of 0.9 is wider than 0.12.
_FEW_TEST_ROWS = 100
# Single mistakes happen in any labelling; beyond one row in twenty the figures are about them.
_MUCH = 0.05
# When more than half of the test rows are copies, intervals, which take rows for independent, are
# too narrow by a third and more.
_MOSTLY = 0.5
_MISSING = frozenset({"nan", "none", "null", "na", "n/a", "#n/a", "?", "-", "undefined"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Rows with their classes.

    Attributes:
        names: of the classes.
        labels: int64 [N], 0-based.
        test: whether a row is for the test, bool [N].
        contents: what each row is, in a form in which rows that people call the same are equal,
            [N].
        places: where each row is, [N].
    """

    names: Sequence[str]
    labels: npt.NDArray[np.int64]
    test: npt.NDArray[np.bool_]
    contents: Sequence[bytes]
    places: Sequence[str]


def check_classes(rows: Labelled) -> Iterator[Finding]:
    """Yield the findings on the rows."""
    yield from similar_names(rows.names, np.bincount(rows.labels).tolist())
    yield from _contradictions(rows)
    yield from _copies(rows)
    yield from _leaks(rows)
    yield from _balance(rows)


def similar_names(
    names: Sequence[str], counts: Sequence[int], called: tuple[str, str] = ("class", "classes")
) -> Iterator[Finding]:
    """Yield which names probably mean one class, and which probably means a missing label.

    Args:
        names: of the classes.
        counts: how many rows each has.
        called: what one of them is called, and several.
    """
    one, several = called
    alike = defaultdict(list)
    for name, count in zip(names, counts, strict=True):
        alike[_plain(name)].append(f"{name!r} ({count:,} rows)")
    for group in alike.values():
        if len(group) > 1:
            yield Finding(
                sentence=f"The {several} {' and '.join(group)} differ only in how they are "
                "written: give them one name, if they are one.",
                blocks=True,
            )
    for name, count in zip(names, counts, strict=True):
        if name.strip().lower() in _MISSING:
            yield Finding(
                sentence=f"The {one} {name!r} ({count:,} rows) looks like a label that is missing."
            )


def _plain(name: str) -> str:
    """Return a name in lower case without blanks and punctuation; of a number its value."""
    try:
        return repr(float(name))
    except ValueError:
        pass
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(filter(str.isalnum, folded)) or name


def _contradictions(rows: Labelled) -> Iterator[Finding]:
    found: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, content in enumerate(rows.contents):
        found[content].append(row)
    of_two = [group for group in found.values() if len(set(rows.labels[group].tolist())) > 1]
    if not of_two:
        return
    total, count = len(rows.contents), sum(map(len, of_two))
    wrong = sum(len(group) - max(Counter(rows.labels[group].tolist()).values()) for group in of_two)
    listed = [
        " and ".join(
            f"{rows.places[row]} ({rows.names[rows.labels[row]]})" for row in _two(rows, g)
        )
        for g in of_two
    ]
    yield Finding(
        sentence=f"{share(count, total)} stand under several classes, though they are the same: "
        f"{first(listed)}. No model can distinguish them, so no accuracy over "
        f"{1 - wrong / total:.4f} is possible.",
        blocks=count > _MUCH * total,
    )


def _two(rows: Labelled, group: list[int]) -> tuple[int, int]:
    """Return a row of a group, and one of another class."""
    return group[0], next(row for row in group if rows.labels[row] != rows.labels[group[0]])


def _copies(rows: Labelled) -> Iterator[Finding]:
    pairs = list(zip(rows.contents, rows.labels.tolist(), strict=True))
    total, different = len(pairs), len(set(pairs))
    tested = [pairs[row] for row in np.flatnonzero(rows.test).tolist()]
    if total - different > _MUCH * total:
        blocks = len(set(tested)) < (1 - _MOSTLY) * len(tested)
        yield Finding(
            sentence=f"{share(total - different, total)} are copies of others; {different:,} are "
            f"different, {len(set(tested)):,} of the {len(tested):,} test rows. Copies count each "
            "time, and make figures look surer than they are.",
            blocks=blocks,
        )


def _leaks(rows: Labelled) -> Iterator[Finding]:
    learned = {rows.contents[row] for row in np.flatnonzero(~rows.test).tolist()}
    tested = np.flatnonzero(rows.test).tolist()
    known = [rows.places[row] for row in tested if rows.contents[row] in learned]
    if known:
        yield Finding(
            sentence=f"{len(known):,} of {len(tested):,} test rows are learned from as well, under "
            f"another class or in another spelling: {first(known)}. Figures measured on them "
            "show memory.",
            blocks=len(known) > _MUCH * len(tested),
        )


def _balance(rows: Labelled) -> Iterator[Finding]:
    counts = np.bincount(rows.labels, minlength=len(rows.names))
    tested = np.bincount(rows.labels[rows.test], minlength=len(rows.names))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] >= _LOPSIDED * counts[least]:
        yield Finding(
            sentence=f"The class {rows.names[least]!r} has {counts[least]:,} rows, "
            f"{rows.names[most]!r} {counts[most]:,}: always answering {rows.names[most]!r} has an "
            f"accuracy of {counts[most] / counts.sum():.4f}. Look at the recall of each class and "
            "at the balanced accuracy."
        )
    few = [
        f"{name!r} ({count})"
        for name, count in zip(rows.names, tested.tolist(), strict=True)
        if count < _FEW_OF_A_CLASS
    ]
    if few:
        yield Finding(
            sentence=f"Of the classes {', '.join(few)} there are fewer than {_FEW_OF_A_CLASS} test "
            "rows, too few to measure how well they are found."
        )
    total = int(tested.sum())
    if total < _FEW_TEST_ROWS:
        low, _ = wilson(total, total)
        yield Finding(
            sentence=f"There are {total} test rows. Even if all are answered rightly, the accuracy "
            f"may be {low:.2f} (95 % confidence)."
        )
