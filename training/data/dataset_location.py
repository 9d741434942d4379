"""Finds a data set's files: in a given folder, a Keras home, a known package, or by download."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from training.data.download import DownloadError, Remote, download
from training.errors import TrainingError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """The files of a data set and where they may be.

    Attributes:
        name: of the data set, for people and for the cache.
        files: what to download, and the names to look for.
        folder: the files' folder below ``<Keras home>/datasets``; empty when they lie there.
        packages: where known packages put the same files.
        homepage: where a person finds the data set.
    """

    name: str
    files: tuple[Remote, ...]
    folder: str
    packages: tuple[Path, ...]
    homepage: str


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a data set, in the order of ``DataSet.files``, and how they were found."""

    paths: tuple[Path, ...]
    how: str

    def fingerprint(self) -> str:
        """Return the SHA-256 over the contents of all files, in hexadecimal."""
        digest = hashlib.sha256()
        for path in self.paths:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def keras_home() -> Path:
    """Return Keras' own folder: ``KERAS_HOME``, or ``~/.keras``.

    Raises:
        TrainingError: neither is named, because this user has no home.
    """
    home = os.environ.get("KERAS_HOME")
    try:
        return Path(home) if home else Path.home() / ".keras"
    except RuntimeError as error:
        raise TrainingError(
            "This user has no home folder in which data sets could be: set KERAS_HOME to a folder, "
            "or name the data with --data."
        ) from error


def find_dataset(data_set: DataSet, named: Path | None) -> Found | None:
    """Look for the files on this machine; ``None`` when they are not all in one place.

    Args:
        data_set: what to look for.
        named: the folder that the user named; then it is the only place. It may hold the files
            themselves, or be laid out as a Keras home.
    """
    for folder, how in _places(data_set, named):
        paths = tuple(folder / file.name for file in data_set.files)
        if all(path.is_file() for path in paths):
            return Found(paths, how)
    return None


def find_or_download(data_set: DataSet, named: Path | None) -> Found:
    """Find the files, or download them into the Keras home.

    Raises:
        UsageError: the user named a folder, and the files are not there.
        TrainingError: they are nowhere and cannot be downloaded; the message says what to put
            where.
    """
    found = find_dataset(data_set, named)
    if found is not None:
        return found
    names = file_names(data_set)
    if named is not None:
        raise UsageError(f"{named} does not hold the {data_set.name} data: it needs {names}.")
    target = keras_home() / "datasets" / data_set.folder
    try:
        target.mkdir(parents=True, exist_ok=True)
        paths = tuple(download(file, target) for file in data_set.files)
    except (DownloadError, OSError) as error:
        reason = str(error) if isinstance(error, DownloadError) else f"{error.strerror}."
        raise TrainingError(
            f"There is no {data_set.name} data here, and it cannot be downloaded: {reason} "
            f"Put {names} from {data_set.homepage} into {target}, or pass their folder with --data."
        ) from error
    return Found(paths, "downloaded")


def file_names(data_set: DataSet) -> str:
    """Return the names of the files, as a sentence lists them."""
    names = [file.name for file in data_set.files]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _places(data_set: DataSet, named: Path | None) -> list[tuple[Path, str]]:
    if named is not None:
        below = named / "datasets"
        return [
            (folder, "--data")
            for folder in (named, named / data_set.folder, below / data_set.folder, below)
        ]
    home = keras_home() / "datasets"
    places = [(home / data_set.folder, "Keras home"), (home, "Keras home")]
    return places + [(package, "package") for package in data_set.packages]
