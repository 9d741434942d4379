"""A tuning's workers as processes of this machine."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

# Seconds for which a process may end by itself.
_END_S = 30.0


class LocalWorkers:
    """Processes that work on a study; ``workers_here`` starts them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str]) -> None:
        """Start one more. What it prints goes into a file of its own."""
        with self._log(len(self._processes)).open("ab") as file:
            # A session of its own: Ctrl-C reaches this process alone, which passes it on.
            self._processes.append(
                subprocess.Popen(
                    command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
                )
            )

    def are_at_work(self) -> bool:
        """Whether any of them runs."""
        return any(process.poll() is None for process in self._processes)

    def why(self) -> str:
        """Return how the first of those that failed did, in a sentence, and where its log is."""
        for number, process in enumerate(self._processes):
            log = self._log(number)
            if process.returncode < 0:
                name = signal.Signals(-process.returncode).name
                return (
                    f"A process was ended by {name}. Run the same command to continue. "
                    f"Its log: {log}"
                )
            if process.returncode > 0:
                lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
                return f"{lines[-2] if len(lines) > 1 else 'A process failed.'} Its log: {log}"
        return (
            "The processes ended early. Run the same command to continue. "
            f"Their logs: {self._folder}"
        )

    def end(self) -> None:
        """Ask the processes to end between two batches; kill those that do not."""
        for process in self._processes:
            if process.poll() is None:
                # Not SIGINT, which what a script's shell starts in the background ignores.
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + _END_S
        for process in self._processes:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, number: int) -> Path:
        return self._folder / f"worker-{number}.log"


@contextlib.contextmanager
def workers_here(folder: Path, commands: Sequence[Sequence[str]]) -> Iterator[LocalWorkers]:
    """Let processes work while the block runs.

    Args:
        folder: for their logs.
        commands: what each of them runs.
    """
    workers = LocalWorkers(folder)
    try:
        for command in commands:
            workers.start(command)
        yield workers
    finally:
        workers.end()
