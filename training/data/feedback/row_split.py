"""What a row of feedback is for, by a hash of the row itself."""

from enum import StrEnum
from hashlib import sha256

# Of all rows; the rest is learned from.
TEST_SHARE = VALIDATION_SHARE = 0.1
# A salt of its own, because keys of rows are hashes as well.
_SALT = b"feedback split 1:"


class Split(StrEnum):
    """What a row is for."""

    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"


def row_key(content: bytes) -> str:
    """Return what a row is known by: a digest of its inputs as a network sees them."""
    return sha256(content).hexdigest()[:32]


def split_of(key: str) -> Split:
    """Return what the row of a key is for.

    Nothing else decides, neither its time nor its request's id nor the other rows: a row that was
    held out once is held out in all trainings to come.
    """
    digest = sha256(_SALT + key.encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    if point < TEST_SHARE:
        return Split.TEST
    return Split.VALIDATION if point < TEST_SHARE + VALIDATION_SHARE else Split.TRAINING
