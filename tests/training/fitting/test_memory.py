"""Memory that a training has freed is there for its next arrays."""

import sys

import pytest

from tests.fresh_python import run_script

# 100 times three arrays of 4 MB in a thread, each of 1,000 pages.
_SCRIPT = """
import resource, sys, threading
import numpy as np
from training.fitting.memory import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()

def work():
    for _ in range(100):
        one, other = np.ones(500_000), np.ones(500_000)
        both = one + other
        del one, other, both

thread = threading.Thread(target=work)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has what is set")
def test_arrays_in_a_thread_take_the_pages_of_those_before() -> None:
    faults = {kind: int(run_script(_SCRIPT, kind)) for kind in ("kept", "returned")}
    assert faults["kept"] < faults["returned"] / 5, faults
