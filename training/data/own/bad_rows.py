"""The bad rows of own data: counted, listed, and refused when they are too many."""

from pathlib import Path

from training.console.number_format import percentage
from training.errors import TrainingError

# How many a message lists; ``BadRows.lines`` has them all.
_LISTED = 20


class BadRows:
    """What is wrong with which rows of one source.

    Args:
        tolerated: the largest share of bad rows that a source may have, 0 to 1.
    """

    def __init__(self, tolerated: float) -> None:
        self._tolerated = tolerated
        self._count = 0
        self.lines: list[str] = []

    def add(self, place: str, problem: str, rows: int = 1) -> None:
        """Count rows as bad.

        Args:
            place: where they are in the source: "line 17", "cat/3.png".
            problem: what is wrong, without a full stop.
            rows: how many, where one fault swallows several.
        """
        self._count += rows
        self.lines.append(f"{place}: {problem}")

    def __len__(self) -> int:
        return self._count

    def check_share(self, source: Path, good: int) -> None:
        """Refuse the source when too much of it is bad.

        Args:
            source: the file or folder.
            good: the number of rows that are right.

        Raises:
            TrainingError: more rows are bad than is tolerated, or none is good; the message lists
                the bad ones, a line each.
        """
        if not good and not self._count:
            raise TrainingError(f"{source} holds nothing to learn from.")
        if not good or self._count > self._tolerated * (good + self._count):
            limit = f"more than the {percentage(self._tolerated, 3)} that --max-bad-rows allows"
            if not good:
                limit = "and nothing is left to learn from"
            raise TrainingError(f"{source}: {self.summary(good)}, {limit}:\n{self.listing()}")

    def summary(self, good: int) -> str:
        """Return how many rows of all are bad, in words; ``good`` is the number of the others."""
        total = good + self._count
        return f"{self._count:,} of {total:,} rows are bad ({percentage(self._count / total, 3)})"

    def listing(self) -> str:
        """Return the first of the bad rows, a line each, and how many are not shown."""
        listed = [f"  {line}" for line in self.lines[:_LISTED]]
        hidden = len(self.lines) - len(listed)
        return "\n".join([*listed, f"  and {hidden:,} more"] if hidden else listed)
