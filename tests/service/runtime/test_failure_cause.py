import errno
import os

import pytest
import tensorflow as tf

from service.repository.errors import RepositoryError
from service.runtime.failure_cause import is_machines_fault
from service.runtime.load_error import Fault, LoadError


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "name",
    [
        "EIO",
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "ESTALE",
        "EINTR",
        "ENOSPC",
        "EAGAIN",
        "EBUSY",
        "ETIMEDOUT",
        "EDQUOT",
    ],
)
def test_the_machine_may_fail(name: str) -> None:
    assert is_machines_fault(system(getattr(errno, name)))


@pytest.mark.parametrize("name", ["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "EACCES", "EPERM"])
def test_files_may_be_wrong(name: str) -> None:
    assert not is_machines_fault(system(getattr(errno, name)))


@pytest.mark.parametrize(
    ("kind", "message", "machines"),
    [
        (tf.errors.ResourceExhaustedError, "OOM when allocating tensor", True),
        (tf.errors.UnavailableError, "Interrupted system call", True),
        (tf.errors.AbortedError, "Stale file handle", True),
        (tf.errors.UnknownError, "/models/1/variables; Input/output error", True),
        (tf.errors.UnknownError, "ValueError: no", False),
        (tf.errors.DataLossError, "Checksum does not match", False),
        (tf.errors.InvalidArgumentError, "Shapes differ", False),
        (tf.errors.NotFoundError, "Key is not in the checkpoint", False),
    ],
)
def test_tensorflow_reports_both(kind: type, message: str, machines: bool) -> None:
    assert is_machines_fault(kind(None, None, message)) is machines


def test_what_led_to_an_error_counts() -> None:
    try:
        try:
            raise system(errno.EIO)
        except OSError as error:
            raise RepositoryError("data cannot be read.") from error
    except RepositoryError as error:
        try:
            raise LoadError(Fault.MANIFEST, str(error)) from error
        except LoadError as last:
            assert is_machines_fault(last)
    assert is_machines_fault(MemoryError())
    assert not is_machines_fault(OSError("SavedModel file does not exist"))
    assert not is_machines_fault(SystemExit(1))
