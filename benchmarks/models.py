"""The folder of models that all servers of a benchmark load: the committed ones, and the dense."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.dense import probabilities, random_weights
from benchmarks.errors import BenchmarkError
from service.repository.golden import Golden, GoldenExample, read_golden, write_golden
from service.repository.store import Store

CLOTHING = "clothing"
DENSE = "clothing_dense"
SENTIMENT = "sentiment"
MPG = "mpg"

_EXPORT_TIMEOUT_S = 120


def assemble(committed: Path, root: Path) -> list[str]:
    """Fill ``root`` with one version of each model and return the models' names.

    A model that ``committed`` lacks is left out; the dense network needs the pictures of
    clothing's golden examples.

    Args:
        committed: the project's ``saved_models``.
        root: an empty folder.

    Raises:
        BenchmarkError: there is no model, or the dense network cannot be exported.
    """
    store = Store(committed)
    names = [name for name in (CLOTHING, SENTIMENT, MPG) if store.versions(name)]
    if not names:
        raise BenchmarkError(f"There is no model to serve in {committed}.")
    for name in names:
        version, folder = max(store.versions(name).items())
        shutil.copytree(folder, root / name / str(version))
    if CLOTHING in names:
        Store(root).publish(DENSE, lambda folder: _fill_dense(folder, golden_of(root, CLOTHING)))
        names.insert(0, DENSE)
    return names


def golden_of(root: Path, model: str) -> Golden:
    """Return the golden examples of a model's latest version.

    Raises:
        BenchmarkError: it has none, so no answer could be checked.
    """
    folder = max(Store(root).versions(model).items())[1]
    golden = read_golden(folder)
    if golden is None:
        raise BenchmarkError(f"Model {model!r} has no golden examples to check answers with.")
    return golden


def _fill_dense(folder: Path, clothing: Golden) -> None:
    command = [sys.executable, "-m", "benchmarks.dense", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_EXPORT_TIMEOUT_S)
    if done.returncode:
        raise BenchmarkError(f"The dense network cannot be exported: {done.stderr[-500:]}")
    images = [e.instance["image"] for e in clothing.examples if "image" in e.instance]
    answers = probabilities(random_weights(), images).tolist()
    examples = [
        GoldenExample("serving_default", {"image": image}, {"probabilities": answer}, "computed")
        for image, answer in zip(images, answers, strict=True)
    ]
    write_golden(folder, Golden(examples))
