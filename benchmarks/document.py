"""The place of a report in a document that people write the rest of."""

from pathlib import Path

from benchmarks.errors import BenchmarkError

BEGIN = "<!-- measured: begin (python -m benchmarks --write) -->"
END = "<!-- measured: end -->"


def insert(text: str, report: str) -> str:
    """Return the document with the report between its marks.

    Raises:
        BenchmarkError: the marks are not there, once each and in order.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in tail:
        raise BenchmarkError(f"The document needs the lines {BEGIN} and {END}, once each.")
    return f"{head}{BEGIN}\n\n{report.strip()}\n\n{END}{tail}"


def check(path: Path) -> None:
    """Check that a report can be written there, before it is measured for minutes.

    Raises:
        BenchmarkError: the file is not there, or has no marks.
    """
    insert(_read(path), "")


def write(path: Path, report: str) -> None:
    """Put the report into the document.

    Raises:
        BenchmarkError: the file is not there, or has no marks.
    """
    path.write_text(insert(_read(path), report))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}.") from error
