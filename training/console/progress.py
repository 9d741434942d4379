"""What is going on, told to people: lines of text, and the progress of a transfer."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def say(text: str) -> None:
    """Print a line of the training's story."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def transfer(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a transfer of ``total`` bytes; yields the function to report each piece's bytes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        say(f"downloading {name}" + (f", {total / 1e6:.1f} MB" if total else ""))
        yield lambda count: None
        return
    columns = (
        TextColumn("downloading {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(name, total=total)
        yield lambda count: progress.update(task, advance=count)
