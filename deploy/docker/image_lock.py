"""Print a lock file as an image needs it; every requirement keeps its hashes.

    python image_lock.py requirements/serve.lock --tensorflow cpu --without libclang setuptools

The locks name both builds of the same TensorFlow, each with its hashes: ``tensorflow-cpu`` where
it is published, Linux on x86-64, and ``tensorflow`` elsewhere. ``cpu`` leaves that as it is;
``full`` drops ``tensorflow-cpu`` and takes ``tensorflow`` everywhere.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

# A requirement begins at a line's start; its hashes, and who asked for it, are indented below.
_ENTRY = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MARKER = re.compile(r" *;[^\\\n]*")


def image_lock(lock: str, tensorflow: str, without: Sequence[str] = ()) -> str:
    """Return ``lock`` with one build of TensorFlow, and without some packages.

    Args:
        lock: the text of a lock file.
        tensorflow: ``cpu`` or ``full``.
        without: names of packages to leave out.

    Raises:
        ValueError: there is no such build, or the lock lacks a package that is to be changed.
    """
    if tensorflow not in ("cpu", "full"):
        raise ValueError(f"TENSORFLOW must be cpu or full, not {tensorflow!r}.")
    leave_out = {*without, *(["tensorflow-cpu"] if tensorflow == "full" else [])}
    head, *entries = _ENTRY.split(lock)
    named = [(match[0], entry) for entry in entries if (match := _NAME.match(entry))]
    missing = {*leave_out, "tensorflow"} - {name for name, _ in named}
    if missing:
        raise ValueError(f"The lock does not name {', '.join(sorted(missing))}.")
    return head + "".join(
        _MARKER.sub(" ", entry, count=1) if tensorflow == "full" and name == "tensorflow" else entry
        for name, entry in named
        if name not in leave_out
    )


def main() -> int:
    """Read the command line, print the lock."""
    parser = argparse.ArgumentParser(description="Print a lock file as an image needs it.")
    parser.add_argument("lock", type=Path)
    parser.add_argument("--tensorflow", required=True)
    parser.add_argument("--without", nargs="*", default=[])
    given = parser.parse_args()
    try:
        text = image_lock(given.lock.read_text(encoding="utf-8"), given.tensorflow, given.without)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
