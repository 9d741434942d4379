"""Writing a file so that readers see the old one or the new one, never half.

Who writes durably, and why: what must be there after a power failure, because nobody can make it
anew: the files of versions and policies, the records of what serves, a training run's settings,
history and checkpoints. What ends with its service, or can be computed again, does not pay for it:
the workers' agreement and observations, folded metrics, the cache of parsed data.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_DRAFT = ".draft-"


@contextmanager
def replacing(path: Path, *, durable: bool, exclusive: bool = False) -> Iterator[Path]:
    """Yield the path of a draft that becomes ``path`` when the block ends without an error.

    The draft lies in the same folder, is hidden, and has the file's endings. It is removed when
    the block fails.

    Args:
        path: the file to write.
        durable: whether the content must survive a power failure from then on.
        exclusive: whether nobody else writes this file at the same time. The draft then has the
            same name each time, so that one which a killed process has left is overwritten.

    Raises:
        OSError: the file cannot be written.
    """
    mark = "" if exclusive else f"{uuid4().hex}-"
    draft = path.with_name(f"{_DRAFT}{mark}{path.name}")
    try:
        yield draft
        if durable:
            with draft.open("rb") as file:
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, data: bytes, *, durable: bool, exclusive: bool = False) -> None:
    """Write ``data`` to ``path``; the arguments are those of ``replacing``.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path, durable=durable, exclusive=exclusive) as draft:
        draft.write_bytes(data)
