"""How many rows go by until drift is noticed: ``python -m benchmarks.drift``.

Drifts are made from real data and answered by real models: the committed versions of clothing and
sentiment, and a short training of mpg on the cars of 1970 to 1975, whose ``reference.json`` is
used as the training wrote it. Undisturbed streams are test rows: a random half, or 5,000 rows, make
the reference, and the rest is the stream.
"""

import argparse
import contextlib
import csv
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drift_streams import (
    AnsweredRows,
    answered_rows,
    follow,
    reference_of,
    undisturbed,
)
from benchmarks.models import latest_version
from benchmarks.process import ROOT
from benchmarks.table import markdown_table
from service.repository.contract import DEFAULT_SIGNATURE, Signature
from service.repository.golden_examples import Tensors
from service.repository.model_card import read_card
from service.repository.reference.reference_file import Reference, read_reference
from training import tasks
from training.array_types import Predict
from training.data.dataset_location import find_dataset
from training.evaluation.intervals import wilson
from training.publishing.saved_model_export import open_saved_model

_REFERENCE_ROWS = 5_000
_STREAM = 5_000
_HEADER = ("model", "live rows", "rows until the alarm", "most evidence", "field")


@dataclass(frozen=True, slots=True)
class Served:
    """A version, and the data of its model."""

    predict: Predict
    signature: Signature
    data: Any

    def answered(self, inputs: Tensors) -> AnsweredRows:
        """Let it answer rows."""
        return answered_rows(self.predict, self.signature, inputs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--streams", type=int, default=200, help="undisturbed streams (200)")
    parser.add_argument("--models", nargs="*", default=list(_STUDIES), choices=list(_STUDIES))
    options = parser.parse_args(arguments)
    drifted: list[tuple[str, ...]] = []
    calm: list[tuple[str, ...]] = []
    for model in options.models:
        for line, is_drifted in _STUDIES[model](options.streams):
            (drifted if is_drifted else calm).append((model, *line))
            print(model, *line, sep="; ", flush=True)
    print(markdown_table(_HEADER, drifted))
    header = ("model", "streams", "rows each", "alarms", "at most, 95 %", "most evidence")
    print(markdown_table(header, calm))
    return 0


_Lines = Iterator[tuple[tuple[str, ...], bool]]


def _committed(model: str) -> Served:
    folder = latest_version(ROOT / "saved_models", model)
    card = read_card(folder)
    assert card is not None
    signature = card.contract[DEFAULT_SIGNATURE]
    return Served(open_saved_model(folder), signature, load_standard(model))


def load_standard(model: str) -> Any:
    """Return the standard data of a model, as its task reads it."""
    task = tasks.get(model)
    found = find_dataset(task.data_set, None)
    if found is None:
        raise SystemExit(f"The {task.data_set.name} data is not on this machine.")
    return task.load(found)


def _drifts(reference: Reference, streams: dict[str, AnsweredRows]) -> _Lines:
    for name, live in streams.items():
        outcome = follow(reference, live)
        rows = f"none in {len(live):,}" if outcome.rows is None else f"{outcome.rows:,}"
        yield (name, rows, f"{outcome.evidence:.2g}", outcome.strangest), True


def _calm(signature: Signature, rows: AnsweredRows, reference_rows: int, streams: int) -> _Lines:
    outcomes = undisturbed(signature, rows, reference_rows=reference_rows, streams=streams)
    alarms = sum(outcome.rows is not None for outcome in outcomes)
    most = max(outcome.evidence for outcome in outcomes)
    _, bound = wilson(alarms, streams)
    length = len(rows) - reference_rows
    yield (f"{streams}", f"{length:,}", f"{alarms}", f"{bound:.1%}", f"{most:.2g}"), False


def _clothing(streams: int) -> _Lines:
    served = _committed("clothing")
    pictures = served.data.test.astype(np.float32)
    labels = served.data.test_labels
    every = served.answered({"image": pictures})
    order = np.random.default_rng(0).permutation(len(pictures))
    reference = reference_of(served.signature, every.at(order[:_REFERENCE_ROWS]))
    live = pictures[order[_REFERENCE_ROWS:]]
    alike = np.flatnonzero(np.isin(labels[order[_REFERENCE_ROWS:]], (0, 2, 4, 6)))
    noise = np.random.default_rng(1).normal(0, 25, live.shape)
    kinds: dict[str, np.ndarray] = {
        "inverted": 255 - live,
        "blurred (3 x 3)": blurred(live),
        "turned by 90 degrees": np.rot90(live, axes=(1, 2)).copy(),
        "noise of 10 %": np.clip(live + noise, 0, 255).astype(np.float32),
        "darker by 10 %": live * np.float32(0.9),
        "upper garments alone": live[alike],
    }
    yield from _drifts(
        reference, {name: served.answered({"image": rows}) for name, rows in kinds.items()}
    )
    yield from _calm(served.signature, every, _REFERENCE_ROWS, streams)


def blurred(pictures: np.ndarray) -> np.ndarray:
    """Return the mean of each point and its neighbours, float32 [N, height, width]."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = pictures.shape[1:]
    parts = [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.asarray(np.mean(parts, axis=0), np.float32)


def _sentiment(streams: int) -> _Lines:
    served = _committed("sentiment")
    random = np.random.default_rng(0)

    def answered(texts: Sequence[bytes]) -> AnsweredRows:
        return served.answered({"text": np.array(texts, object)})

    test = list(served.data.test)
    chosen = random.permutation(len(test))[: _REFERENCE_ROWS + 4 * _STREAM]
    every = answered([test[row] for row in chosen])
    reference = reference_of(served.signature, every.at(np.arange(_REFERENCE_ROWS)))
    live = every.at(np.arange(_REFERENCE_ROWS, len(every)))
    lengths = np.array([len(text) for text in live.inputs["text"]])
    episodes = np.array([b"episode" in text.lower() for text in live.inputs["text"]])
    positive = live.outputs["probability"] > 0.5
    known = random.permutation(len(served.data.train))[:_REFERENCE_ROWS]
    yield from _drifts(
        reference,
        {
            "shorter than 600 bytes": live.at(np.flatnonzero(lengths < 600)),
            "longer than 2,000 bytes": live.at(np.flatnonzero(lengths > 2_000)),
            "their first sentence alone": answered(
                [text.split(b". ")[0] for text in live.inputs["text"][:_STREAM]]
            ),
            'on series ("episode")': live.at(np.flatnonzero(episodes)),
            "answered as positive alone": live.at(np.flatnonzero(positive)[:_STREAM]),
        },
    )
    of_known = reference_of(served.signature, answered([served.data.train[row] for row in known]))
    yield from _drifts(
        of_known, {"unseen films, to a reference of learned ones": live.at(np.arange(_STREAM))}
    )
    # All test reviews would make the streams longer, and take an hour.
    yield from _calm(served.signature, every.at(np.arange(2 * _STREAM)), _REFERENCE_ROWS, streams)


def _mpg(streams: int) -> _Lines:
    data = load_standard("mpg")
    years = data.numbers["model_year"]
    with tempfile.TemporaryDirectory(prefix="understudy-drift-") as folder:
        version = _trained_on(Path(folder), years <= 75)
        card, reference = read_card(version), read_reference(version)
        assert card is not None
        assert reference is not None
        served = Served(open_saved_model(version), card.contract[DEFAULT_SIGNATURE], data)
        columns = {**data.numbers, "origin": data.origin.astype(object)}

        def cars(rows: np.ndarray) -> AnsweredRows:
            return served.answered({name: column[rows] for name, column in columns.items()})

        yield from _drifts(
            reference,
            {
                "cars of 1976 to 1979": cars((years >= 76) & (years <= 79)),
                "cars of 1980 to 1982": cars(years >= 80),
            },
        )
        old = cars(years <= 75)
        yield from _calm(served.signature, old, len(old) // 2, streams)


def _trained_on(folder: Path, rows: np.ndarray) -> Path:
    """Train mpg for a short time on some of the cars, and return the published version."""
    from understudy import cli

    data = load_standard("mpg")
    table = folder / "cars.csv"
    names = list(data.numbers)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "origin", "mpg"])
        for row in np.flatnonzero(rows):
            values = [data.numbers[name][row] for name in names]
            cells = ["" if np.isnan(value) else f"{value:g}" for value in values]
            writer.writerow([*cells, data.origin[row], f"{data.mpg[row]:g}"])
    arguments = ["train", "mpg", "--data", str(table), "--arch", "tutorial", "--epochs", "30"]
    arguments += ["--out", str(folder / "models"), "--force"]
    # Its run folder is made where it is started.
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        status = cli.main(arguments)
    if status:
        raise SystemExit(f"The training of mpg failed with status {status}.")
    return folder / "models" / "mpg" / "1"


_STUDIES: dict[str, Callable[[int], _Lines]] = {
    "clothing": _clothing,
    "sentiment": _sentiment,
    "mpg": _mpg,
}

if __name__ == "__main__":
    raise SystemExit(main())
