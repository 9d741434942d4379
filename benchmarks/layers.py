"""Where a server's time goes, by layer: ``python -m benchmarks.layers STACKS``.

Reads what the sampling profiler py-spy writes (``py-spy record --format raw``) and prints each
layer's share of the samples in which a thread worked. A sample belongs to the innermost of its
frames whose file is in a layer, so the standard library and C extensions count for whoever calls
them. TensorFlow's own threads are not Python's and are not seen; what is seen of inference is the
call's own cost and, for small models, which run on the calling thread, the arithmetic.

Profile at one connection: at more, a thread that waits for Python's lock after a system call is
taken for one that works.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.table import markdown_table

OTHER = "other"
# Where a thread waits for work; py-spy takes some of it for work, since the thread holds no lock
# of the kernel's that it knows.
_WAITS = (
    "_worker (concurrent/futures/thread.py",
    "EpollSelector.select (selectors.py",
    "Condition.wait (threading.py",
)

# The first of these that a frame's file name holds is its layer.
LAYERS: Mapping[str, str] = {
    "tensorflow/": "inference",
    "service/runtime/": "runtime: leases, batching, the call",
    "marshmallow/": "parsing and checking",
    "service/api/json/": "parsing and checking",
    "service/api/codecs/": "parsing and checking",
    "service/api/validation/": "parsing and checking",
    "service/monitoring/": "metrics",
    "prometheus_client/": "metrics",
    "service/api/": "routes and observation",
    "flask/": "Flask and Werkzeug",
    "werkzeug/": "Flask and Werkzeug",
    "service/server/": "gunicorn and the worker",
    "gunicorn/": "gunicorn and the worker",
}


def main() -> None:
    """Print the table."""
    samples = count(Path(sys.argv[1]).read_text().splitlines())
    total = sum(samples.values())
    rows = [[layer, f"{found / total:.0%}"] for layer, found in samples.most_common()]
    print(markdown_table(["layer", "share"], rows))


def count(lines: Iterable[str]) -> Counter[str]:
    """Count samples by layer, of lines such as ``outer (a.py:1);inner (b.py:2) 17``."""
    samples: Counter[str] = Counter()
    for line in lines:
        stack, _, number = line.rpartition(" ")
        frames = stack.split(";")
        if stack and not frames[-1].startswith(_WAITS):
            samples[layer_of(frames)] += int(number)
    return samples


def layer_of(frames: list[str]) -> str:
    """Return the layer of a stack, outermost frame first."""
    for frame in reversed(frames):
        file = frame.rpartition("(")[2]
        for fragment, layer in LAYERS.items():
            if fragment in file:
                return layer
    return OTHER


if __name__ == "__main__":
    main()
