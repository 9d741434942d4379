"""Examples of a test set as a client would send them, beside their form when they are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

# A few are enough: if the preparation differs, it differs for a whole kind of files, and each kind
# is among them.
MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An example of the test set in two forms.

    Attributes:
        place: the file, or the line of one.
        signature: what a client calls with it.
        sent: each input as a client sends it; a file by its path.
        measured_by: the signature that it was measured by.
        measured: each input as it was measured.
    """

    place: str
    signature: str
    sent: Mapping[str, Any]
    measured_by: str
    measured: Mapping[str, Any]


def by_turns(kinds: Sequence[str]) -> list[int]:
    """Return the numbers of at most ``MOST`` rows, of each kind in turn; [N] are their kinds."""
    of_kind: dict[str, list[int]] = {}
    for row, kind in enumerate(kinds):
        of_kind.setdefault(kind, []).append(row)
    turns = sorted(
        (place, kind, row) for kind, found in of_kind.items() for place, row in enumerate(found)
    )
    return sorted(row for _, _, row in islice(turns, MOST))
