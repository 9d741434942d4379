"""The run folder: ``runs/<model>/<time>/``, everything that one training leaves behind.

config.json      the settings, as decided; what ``--resume`` reads
data.json        the fingerprint of the data that it learns from
feedback.json    the truths about live predictions that it learns from; where it does
start/<number>/  a copy of the version that the training begins with; where it does
bad-rows.txt     what was wrong with own data, a line each; where something was
history.csv      one line an epoch
checkpoints/     the last epochs' weights, and the best epoch's; see training.fitting.checkpoints
exports/         what the command export was asked for
export/          the SavedModel with card and golden examples, as published
report.html      the outcome, for people
"""

import contextlib
import csv
import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.repository.atomic_files import replacing
from service.repository.errors import RepositoryError
from service.repository.json_files import read_object, write_object
from service.repository.object_store.origin import models_folder
from service.repository.precision import Precision
from training.errors import TrainingError, UsageError
from training.fitting.config import Settings, settings_from_json

RUNS = Path("runs")
_CONFIG = "config.json"
_DATA = "data.json"
_HISTORY = "history.csv"
# How often in a row the folder that another is made in may be removed.
_MOST_TIMES_GONE = 100
# A study's folder has a config.json as well, and never this.
CHECKPOINTS = "checkpoints"


class Run:
    """One run's folder. ``open`` and ``create_run_folder`` make it; the constructor names it."""

    def __init__(
        self, folder: Path, settings: Settings, *, is_new: bool = False, made: Sequence[Path] = ()
    ) -> None:
        self._is_new = is_new
        # The folders that were made for it and are not its own.
        self._made = list(made)
        self.folder = folder
        self.settings = settings
        self.checkpoints = folder / CHECKPOINTS
        self.export = folder / "export"
        self.report = folder / "report.html"
        self.bad_rows = folder / "bad-rows.txt"
        self.feedback = folder / "feedback.json"
        self.start = folder / "start"
        self.exports = folder / "exports"
        self.lock = folder / ".lock"
        # The epoch that is exported; ``None`` is the best.
        self.exported_epoch: int | None = None

    def taken_up(self, given: Mapping[str, Any]) -> "Run":
        """Return the run with the settings with which the command line continues it.

        Args:
            given: the folders that were named, ``data`` and ``out``, and ``precision`` and
                ``sensitive``, which otherwise stay as they were; and ``no-publish``, without
                which the run publishes now.
        """
        settings = dataclasses.replace(
            self.settings,
            data=Path(given["data"]) if "data" in given else self.settings.data,
            out=models_folder(given.get("out", self.settings.out)),
            publish=not given.get("no-publish", False),
            precision=Precision(given.get("precision", self.settings.precision)),
            sensitive=given.get("sensitive", self.settings.sensitive),
        )
        return Run(self.folder, settings)

    def exporting_to(self, folder: Path, epoch: int | None) -> "Run":
        """Return the same run with another place for its export, of the best or a given epoch."""
        run = Run(self.folder, self.settings)
        run.export, run.exported_epoch = folder, epoch
        return run

    def make_folder(self, folder: Path) -> None:
        """Make a folder that goes with the run where that is discarded.

        Raises:
            OSError: it cannot be made.
        """
        self._made = [*_make_folders(folder), *self._made]

    @contextlib.contextmanager
    def discarded_on_failure(self) -> Iterator[None]:
        """Remove the folder of a run that was created just now if the block ends in a failure.

        One that is taken up stays. What was made for either goes where nothing else is in it.
        """
        try:
            yield
        except (TrainingError, RepositoryError, OSError):
            if self._is_new:
                shutil.rmtree(self.folder)
            for folder in sorted(self._made, key=lambda made: len(made.parts), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise

    def has_begun(self) -> bool:
        """Whether there is a checkpoint, or the draft of one."""
        return any(self.checkpoints.iterdir())

    def history(self) -> list[dict[str, float]]:
        """Return the finished epochs, first to last; the key ``epoch`` counts from 1.

        Raises:
            TrainingError: the file is damaged.
        """
        path = self.folder / _HISTORY
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            try:
                return [
                    {key: int(item) if key == "epoch" else float(item) for key, item in row.items()}
                    for row in csv.DictReader(file)
                ]
            except (ValueError, TypeError, csv.Error) as error:
                raise TrainingError(
                    f"{path} is damaged: {error}. Start a new run; this one cannot continue "
                    "without it."
                ) from error

    def write_history(self, rows: list[Mapping[str, float]]) -> None:
        """Replace the history by ``rows``, which all have the same keys."""
        with (
            replacing(self.folder / _HISTORY, durable=True, exclusive=True) as draft,
            draft.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["epoch"])
            writer.writeheader()
            writer.writerows(rows)


def keep_to_data(folder: Path, fingerprint: str, begun: bool) -> None:
    """Note which data is learned from in ``folder``; a run continues with no other.

    The network follows from the data: its words, its means and spreads, which rows are held out.
    Weights learned on some data fit a network of other data in shape only.

    Raises:
        TrainingError: it was begun with other data, or the note is damaged.
    """
    path = folder / _DATA
    if begun and path.is_file():
        try:
            known = read_object(path).get("fingerprint")
        except RepositoryError as error:
            raise TrainingError(f"{path} is damaged: {error}") from error
        if not isinstance(known, str):
            raise TrainingError(f"{path} is damaged: it must name the fingerprint of the data.")
        if known != fingerprint:
            raise TrainingError(
                f"{folder} was begun with other data: its fingerprint was {known[:16]}..., and is "
                f"{fingerprint[:16]}... now. Pass that data with --data, or start a new run. If "
                "the data is the same, an earlier version of this software held out other rows."
            )
    write_object(path, {"fingerprint": fingerprint})


def create_run_folder(root: Path, settings: Settings) -> Run:
    """Make the folder of a new run under ``root``, named by the time in UTC.

    Raises:
        OSError: it cannot be made; nothing is left of it.
    """
    made = _make_folders(root / settings.model)
    run = Run(new_folder(root / settings.model), settings, is_new=True, made=made)
    with run.discarded_on_failure():
        run.checkpoints.mkdir()
        write_object(run.folder / _CONFIG, settings.to_json())
    return run


def new_folder(root: Path, prefix: str = "") -> Path:
    """Make a folder under ``root`` that is named ``prefix`` and the time in UTC."""
    stem = prefix + datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while True:
        folder = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            _make(folder, exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return folder


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder with those above it, and return those that were not there."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    _make(folder, exist_ok=True)
    return missing


def _make(folder: Path, *, exist_ok: bool) -> None:
    """Make a folder with those above it, while other processes that discard a run remove them."""
    for _ in range(_MOST_TIMES_GONE):
        try:
            folder.mkdir(parents=True, exist_ok=exist_ok)
        except FileNotFoundError:
            continue
        except FileExistsError:
            # It may have been there a moment ago.
            if not exist_ok or folder.is_symlink() or folder.exists():
                raise
        else:
            return
    folder.mkdir(parents=True, exist_ok=exist_ok)


def open_run(folder: Path) -> Run:
    """Open the run in ``folder``.

    Raises:
        UsageError: there is no run, or its configuration cannot be read.
    """
    if not (folder / _CONFIG).is_file():
        raise UsageError(f"{folder} is not a run: it has no {_CONFIG}.")
    if not (folder / CHECKPOINTS).is_dir():
        raise UsageError(f"{folder} is not a run: it has no folder {CHECKPOINTS}.")
    try:
        value: dict[str, Any] = read_object(folder / _CONFIG)
        return Run(folder, settings_from_json(value))
    except (RepositoryError, UsageError) as error:
        raise UsageError(f"{folder / _CONFIG}: {error}") from error


def find_broken_off(root: Path, settings: Settings, fingerprint: str) -> Run | None:
    """Return the newest run below ``root`` that was broken off in the midst of its training.

    Args:
        root: as ``create_run_folder`` has it.
        settings: that it was begun with.
        fingerprint: of the data that it was begun with.
    """
    for folder in sorted((root / settings.model).glob("*"), reverse=True):
        try:
            run = open_run(folder)
            begun_with = read_object(folder / _DATA)["fingerprint"]
        except (RepositoryError, UsageError, KeyError):
            continue
        if run.settings == settings and begun_with == fingerprint and not run.report.exists():
            return run
    return None
