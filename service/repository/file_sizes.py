"""How large the files of a version may be: larger ones are refused before a byte is read."""

from collections.abc import Iterator
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.folder_walk import walk
from service.repository.golden_examples import GOLDEN
from service.repository.manifest import MANIFEST
from service.repository.model_card import CARD
from service.repository.safe_open import MOST_BYTES
from service.repository.unserved_entries import printable

# protobuf reads no message of more bytes, and so TensorFlow no graph.
_MOST_GRAPH = 2**31 - 1
# Python reads the text of a graph, at about a megabyte a second.
_MOST_TEXT = 64 * 2**20
_MOST = {
    "saved_model.pb": _MOST_GRAPH,
    "saved_model.pbtxt": _MOST_TEXT,
    "fingerprint.pb": 2**20,
    MANIFEST: MOST_BYTES,
    CARD: MOST_BYTES,
    GOLDEN: MOST_BYTES,
}
# A graph reads an asset whole, into memory of each worker.
_ASSETS = "assets"
_MOST_ASSET = 2**31 - 1


def check_sizes(directory: Path) -> None:
    """Check the sizes of a version's files that are read whole.

    The variables may be of any size.

    Raises:
        RepositoryError: one is too large; the message names it.
    """
    for name, path, most in _bounded(directory):
        try:
            size = path.stat().st_size
        except OSError:
            continue  # Its reader reports what is wrong with it.
        if size > most:
            raise RepositoryError(f"{name} has {size} bytes; at most {most} can be read.")


def _bounded(directory: Path) -> Iterator[tuple[str, Path, int]]:
    for name, most in _MOST.items():
        yield name, directory / name, most
    for parent, folders, names in walk(directory):
        if parent == directory:
            folders[:] = [name for name in folders if name == _ASSETS]
            continue
        for name in names:
            path = parent / name
            yield printable(path.relative_to(directory).as_posix()), path, _MOST_ASSET
