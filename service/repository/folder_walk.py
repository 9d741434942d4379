"""Walk and remove folders that others placed, however deep or full they are.

``os.walk`` and ``shutil.rmtree`` call themselves for each level, so a folder of a thousand
levels raises ``RecursionError`` in them.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from service.repository.errors import RepositoryError

# A SavedModel has three levels, and as many files as it has assets and shards of variables. Its
# folder is looked at about once a second: ten thousand entries take a tenth of that.
MOST_DEPTH = 32
MOST_ENTRIES = 10_000


class FolderTooLargeError(RepositoryError):
    """A folder is deeper, or holds more, than is looked at; the message names the place."""


def walk(
    folder: Path,
    *,
    onerror: Callable[[OSError], None] | None = None,
    followlinks: bool = False,
    most_entries: int | None = MOST_ENTRIES,
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk through a folder from above, in a fixed order, as ``os.walk`` does.

    Args:
        folder: the folder.
        onerror: is called with the error of a folder that cannot be read; without it, such a
            folder is skipped.
        followlinks: whether to go on into folders behind links. The caller must then clear the
            list of folders where a link leads back.
        most_entries: the most entries of all folders together; ``None`` for any number.

    Yields:
        A folder, the names of its folders, and those of its other entries, both sorted. The
        caller may take names out of the first list; those folders are passed by.

    Raises:
        FolderTooLargeError: there are more than ``most_entries``, or ``MOST_DEPTH`` levels.
    """
    entries = 0
    waiting = [(folder, 0)]
    while waiting:
        parent, depth = waiting.pop()
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(parent) as found:
                for entry in found:
                    entries += 1
                    if most_entries is not None and entries > most_entries:
                        raise FolderTooLargeError(
                            f"{_place(folder, parent)} holds more than {most_entries} files and "
                            "folders, counted with those before it."
                        )
                    (folders if _is_folder(entry) else names).append(entry.name)
        except OSError as error:
            if onerror is not None:
                onerror(error)
            continue
        folders.sort()
        names.sort()
        if folders and depth == MOST_DEPTH:
            raise FolderTooLargeError(
                f"{_place(folder, parent / folders[0])} is deeper than {MOST_DEPTH} folders."
            )
        yield parent, folders, names
        for name in reversed(folders):
            path = parent / name
            if followlinks or not path.is_symlink():
                waiting.append((path, depth + 1))


def check_bounds(folder: Path) -> None:
    """Check that ``walk`` comes to its end.

    Raises:
        FolderTooLargeError: it does not.
    """
    for _ in walk(folder):
        pass


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; what cannot be removed stays.

    A link is removed, not what it leads to.
    """
    while _flatten(folder):
        pass
    with suppress(OSError):
        folder.rmdir()


def _flatten(folder: Path) -> bool:
    """Remove the entries of a folder, but move folders of its folders up into it.

    So no path is ever longer than two names below the folder.

    Returns:
        Whether there are folders left that can be removed.
    """
    moved = False
    for entry in _entries(folder):
        if not _is_folder(entry) or entry.is_symlink():
            with suppress(OSError):
                Path(entry.path).unlink()
            continue
        for inner in _entries(Path(entry.path)):
            with suppress(OSError):
                if _is_folder(inner) and not inner.is_symlink():
                    Path(inner.path).rename(folder / f".removed-{uuid4().hex}")
                    moved = True
                else:
                    Path(inner.path).unlink()
        with suppress(OSError):
            Path(entry.path).rmdir()
    return moved


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself is one.
        return False


def _place(folder: Path, path: Path) -> str:
    """Return a path within the folder for people, short however deep it is."""
    parts = path.relative_to(folder).parts
    shown = (*parts[:3], "...") if len(parts) > 4 else parts
    text = os.fsencode("/".join(shown)).decode("utf-8", "backslashreplace")
    if len(text) > 200:
        text = f"{text[:197]}..."
    return text + ("/" if shown and shown[-1] != "..." else "") if shown else "Its folder"
