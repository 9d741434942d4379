"""The folder of models that all servers load: the committed ones, and the two dense ones."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.dense import (
    NETWORKS,
    PICTURES,
    ROWS,
    Network,
    answers,
    random_rows,
    random_weights,
)
from benchmarks.errors import BenchmarkError
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.golden_examples import Golden, GoldenExample, read_golden, write_golden
from service.repository.model_store import Store

CLOTHING = "clothing"
DENSE = PICTURES.name
ROW = ROWS.name
SENTIMENT = "sentiment"
MPG = "mpg"

_EXPORT_TIMEOUT_S = 120
# As many as go into the largest request.
_EXAMPLES = 64


def assemble(committed: Path, root: Path) -> list[str]:
    """Fill ``root`` with one version of each model and return the models' names.

    A model that ``committed`` lacks is left out.

    Args:
        committed: the project's ``saved_models``.
        root: an empty folder.

    Raises:
        BenchmarkError: a dense network cannot be exported.
    """
    store = Store(committed)
    names = [name for name in (CLOTHING, SENTIMENT, MPG) if store.versions(name)]
    for network in NETWORKS.values():
        publish_dense(Store(root), network)
    for name in names:
        version, folder = max(store.versions(name).items())
        shutil.copytree(folder, root / name / str(version))
    return [*NETWORKS, *names]


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


def publish_dense(store: Store, network: Network) -> int:
    """Publish a dense network with golden examples, and return the version's number.

    Raises:
        BenchmarkError: it cannot be exported.
    """

    def fill(folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.dense", network.name, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_EXPORT_TIMEOUT_S)
        if done.returncode:
            raise BenchmarkError(f"{network.name} cannot be exported: {done.stderr[-500:]}")
        rows = random_rows(network, _EXAMPLES)
        right = answers(network, random_weights(network), rows)
        examples = [
            GoldenExample(
                DEFAULT_SIGNATURE, {network.input: row}, {network.output: answer}, "dense"
            )
            for row, answer in zip(rows.tolist(), right.tolist(), strict=True)
        ]
        write_golden(folder, Golden(examples))

    return store.publish(network.name, fill)
