"""Which numbers of versions were given before, though their folders may be gone.

A number that is given twice names two models: a service that still holds the first refuses the
second, and what was recorded of the one is read as if it were of the other. So each number that is
published stays, as an empty file: ``<store>/.published/numbers/<model>/<number>``, of which the
highest is kept. Where the store's own folder cannot be written it is in the model's folder, under
``.numbers``. A clone of the repository has neither; there the versions themselves count, and what
services say that they serve.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from service.repository.file_lock import locked

_LOCKS = Path(".published", "locks")
_IN_STORE, IN_MODEL = Path(".published", "numbers"), ".numbers"
# The last version, 2**63 - 1, has 19: whoever comes near it is no publisher that counts up.
_DIGITS = 19


def highest_given(root: Path, model: str) -> int:
    """Return the highest number that was given to a version of a model, 0 without any."""
    return max((int(mark.name) for mark in _marks(root, model)), default=0)


@contextmanager
def numbering(root: Path, model: str) -> Iterator[None]:
    """Let nobody else look for a model's next number and take it while the block does.

    Who looks at one moment and takes at another may take a number that was given in between, and
    whose mark is forgotten because a higher one is there. Where the store's own folder cannot be
    written there is no lock: the folder of the version decides.

    Raises:
        RepositoryError: another process holds the lock for too long.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            (root / _LOCKS).mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(root / _LOCKS / model, f"The numbers of {model}"))
        yield


def claim(root: Path, model: str, number: int) -> bool:
    """Take a number for a version that is about to appear.

    Returns:
        whether it was free; another publisher has it otherwise. Where no mark can be left it
        counts as free: the folder of the version decides then.
    """
    for folder in _folders(root, model):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        try:
            (folder / str(number)).touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:
            continue
        return True
    return True


def release_number(root: Path, model: str, number: int) -> None:
    """Let a number that was claimed, and under which nothing appeared, be given again."""
    for folder in _folders(root, model):
        with suppress(OSError):
            (folder / str(number)).unlink()


def forget_below(root: Path, model: str, number: int) -> None:
    """Remove the marks of lower numbers: one stands for all of them."""
    for mark in list(_marks(root, model)):
        if int(mark.name) < number:
            with suppress(OSError):
                mark.unlink()


def _folders(root: Path, model: str) -> tuple[Path, Path]:
    return root / _IN_STORE / model, root / model / IN_MODEL


def _marks(root: Path, model: str) -> Iterator[Path]:
    for folder in _folders(root, model):
        with suppress(OSError):
            for mark in list(folder.iterdir()):
                # What is not a version's number is somebody's file.
                if mark.name.isascii() and mark.name.isdecimal() and len(mark.name) < _DIGITS:
                    yield mark
