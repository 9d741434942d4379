"""Decides whether a version or the machine caused a failed load."""

import errno
from collections.abc import Iterator

# Errors that the files or their permissions cause. Everything else that the
# system reports (EIO, EMFILE, ENOMEM, ESTALE, ...) says nothing of the version.
_VERSIONS = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.EFBIG,
        errno.EOVERFLOW,
        errno.ENXIO,
    }
)
# TensorFlow's codes (error_codes.proto) for what the system reports to it: cancelled, deadline
# exceeded, resource exhausted (EMFILE, ENFILE, ENOMEM, ENOSPC and its own memory), aborted
# (ESTALE), unavailable (EAGAIN, EINTR, and the network's).
_MACHINES = frozenset({1, 4, 8, 10, 14})
# EIO and its like become "unknown", as many other errors do; the system's words distinguish them.
_UNKNOWN = 2
_MACHINES_WORDS = ("input/output error", "remote i/o error", "stale file handle")


def is_machines_fault(error: BaseException) -> bool:
    """Whether a load that failed with ``error``, or because of it, is worth another attempt.

    Failures of the machine (a disk, memory, file descriptors, the network of a file system) come
    and go, so they must not decide on a version. DataLoss is not one of them: the bytes were read,
    and are not what TensorFlow wrote.
    """
    return any(map(_is_machines, _causes(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _is_machines(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno is not None and error.errno not in _VERSIONS
    # TensorFlow's errors, recognised by their code alone, since only one module imports TensorFlow.
    code = getattr(error, "error_code", None)
    if code == _UNKNOWN:
        return any(words in str(error).lower() for words in _MACHINES_WORDS)
    return code in _MACHINES
