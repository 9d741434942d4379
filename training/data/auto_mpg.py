"""Auto MPG: cars of the years 1970 to 1982 with their consumption (Quinlan 1993)."""

import re

import numpy as np
import numpy.typing as npt

from training.data.cache import parsed
from training.data.dataset_location import DataSet, Found
from training.data.dataset_types import Table
from training.data.download import Remote
from training.errors import TrainingError

AUTO_MPG = DataSet(
    name="auto-mpg",
    files=(
        Remote(
            name="auto-mpg.data",
            url="https://archive.ics.uci.edu/ml/machine-learning-databases/auto-mpg/auto-mpg.data",
            algorithm="sha256",
            digest="48b830e11feee5572525f8f1691ddb9d38d3d7b7063edcd8fca672c2a5e17d8d",
        ),
    ),
    folder="",
    # None: the cars.json of vega_datasets has 1981 and 1982 in one, so it is not the same data.
    packages=(),
    homepage="https://archive.ics.uci.edu/dataset/9/auto+mpg",
)
ORIGINS = ("usa", "europe", "japan")
# The numeric columns after mpg, as they stand in a line.
CAR_NUMBERS = (
    "cylinders",
    "displacement",
    "horsepower",
    "weight",
    "acceleration",
    "model_year",
)
_ORIGIN_CODES = dict(zip("123", ORIGINS, strict=True))
_CAR_LINE = re.compile(r'(?P<fields>[\d.?\s]+)\t"(?P<name>[^"]*)"')


def read(found: Found) -> Table:
    """Read Auto MPG: 398 cars of the years 1970 to 1982 (Quinlan 1993).

    Raises:
        TrainingError: a line is not as the data set describes it; the message names it.
    """
    arrays = parsed(AUTO_MPG, found, _parse)
    return Table(
        numbers={name: arrays[name] for name in CAR_NUMBERS},
        origin=arrays["origin"],
        origins=ORIGINS,
        mpg=arrays["mpg"],
        names=arrays["names"],
        fingerprint=found.fingerprint(),
    )


def _parse(found: Found) -> dict[str, npt.NDArray[np.generic]]:
    (path,) = found.paths
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}.") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _CAR_LINE.fullmatch(line)
        values = match["fields"].split() if match else []
        if match is None or len(values) != 8 or values[-1] not in _ORIGIN_CODES:
            raise TrainingError(f"{path}, line {number}: {line!r} is not a car of Auto MPG.")
        try:
            numbers = [float("nan") if value == "?" else float(value) for value in values[:7]]
        except ValueError as error:
            raise TrainingError(f"{path}, line {number}: {error}.") from error
        rows.append((numbers, _ORIGIN_CODES[values[-1]], match["name"]))
    if not rows:
        raise TrainingError(f"{path} holds no cars.")
    columns = np.array([numbers for numbers, _, _ in rows], np.float32).T
    return {
        "mpg": columns[0],
        **dict(zip(CAR_NUMBERS, columns[1:], strict=True)),
        "origin": np.array([origin for _, origin, _ in rows]),
        "names": np.array([name for _, _, name in rows]),
    }
