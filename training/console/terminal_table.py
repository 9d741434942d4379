"""Tables on standard output: in the width of a terminal, unbroken lines for a log or a pipe."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from training.console.progress import say

# Wider than any sentence.
_WIDTH_OF_A_PIPE = 100_000


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a header; on a terminal, what is too wide is wrapped within its column."""
    width = None if Console().is_terminal else _WIDTH_OF_A_PIPE
    console = Console(width=width, highlight=False)
    table = Table(*header, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    with console.capture() as captured:
        console.print(table, markup=False)
    for line in captured.get().splitlines():
        say(line.rstrip())
