"""What the tests of the command line share with those of the training."""

from tests.training.conftest import _cache, found_mpg

__all__ = ["_cache", "found_mpg"]
