"""The folder of models that all servers of a benchmark load: the committed ones, and the dense."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.dense import probabilities, random_pictures, random_weights
from benchmarks.errors import BenchmarkError
from service.repository.golden import Golden, GoldenExample, read_golden, write_golden
from service.repository.store import Store

CLOTHING = "clothing"
DENSE = "clothing_dense"
SENTIMENT = "sentiment"
MPG = "mpg"

_EXPORT_TIMEOUT_S = 120
# As many as go into the largest request.
_PICTURES = 64


def assemble(committed: Path, root: Path) -> list[str]:
    """Fill ``root`` with one version of each model and return the models' names.

    A model that ``committed`` lacks is left out.

    Args:
        committed: the project's ``saved_models``.
        root: an empty folder.

    Raises:
        BenchmarkError: the dense network cannot be exported.
    """
    store = Store(committed)
    names = [name for name in (CLOTHING, SENTIMENT, MPG) if store.versions(name)]
    Store(root).publish(DENSE, _fill_dense)
    for name in names:
        version, folder = max(store.versions(name).items())
        shutil.copytree(folder, root / name / str(version))
    return [DENSE, *names]


def latest_version(root: Path, model: str) -> Path:
    """Return the folder of a model's latest version."""
    return max(Store(root).versions(model).items())[1]


def golden_of(root: Path, model: str) -> Golden:
    """Return the golden examples of a model's latest version.

    Raises:
        BenchmarkError: it has none, so no answer could be checked.
    """
    golden = read_golden(latest_version(root, model))
    if golden is None:
        raise BenchmarkError(f"Model {model!r} has no golden examples to check answers with.")
    return golden


def _fill_dense(folder: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.dense", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_EXPORT_TIMEOUT_S)
    if done.returncode:
        raise BenchmarkError(f"The dense network cannot be exported: {done.stderr[-500:]}")
    pictures = random_pictures(_PICTURES)
    answers = probabilities(random_weights(), pictures)
    examples = [
        GoldenExample("serving_default", {"image": image}, {"probabilities": answer}, "computed")
        for image, answer in zip(pictures.tolist(), answers.tolist(), strict=True)
    ]
    write_golden(folder, Golden(examples))
