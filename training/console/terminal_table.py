"""Tables on standard output: in the width of a terminal, unbroken lines for a log or a pipe."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

_WIDTH_OF_A_PIPE = 400


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a header; on a terminal, what is too wide is wrapped within its column."""
    width = None if Console().is_terminal else _WIDTH_OF_A_PIPE
    table = Table(*header, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    Console(width=width, highlight=False).print(table, markup=False)
