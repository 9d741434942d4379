"""What a command prints while it works: lines of text, and the progress of a transfer."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout


def say(text: str) -> None:
    """Print a line of text."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def working(text: str) -> Iterator[None]:
    """Say what is done while the block runs; a terminal shows a moving sign."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        say(text)
        yield
        return
    with console.status(text):
        yield
    say(text)


def progress_beside(json: bool) -> AbstractContextManager[object]:
    """Send lines to standard error while the block runs, where standard output is for JSON."""
    return redirect_stdout(sys.stderr) if json else nullcontext()


@contextmanager
def transfer(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a transfer of ``total`` bytes; yields the function to report each piece's bytes."""
    # Most commands transfer nothing, and `--help` is to be quick.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

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
