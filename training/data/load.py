"""The data of a training: the task's standard data set, or what the user brings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol

from service.repository.object_store.bucket import bucket_url
from training.array_types import Data
from training.data.dataset_location import (
    DataSet,
    Found,
    file_names,
    find_dataset,
    find_or_download,
)
from training.data.feedback.merging import Merged
from training.data.object_store_data import local_copy
from training.data.own.bad_rows import BadRows
from training.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData(Generic[Data]):
    """What a task takes in place of its standard data.

    Attributes:
        what: it is, in words: "a CSV file of cars".
        suffixes: how the file's name ends, in lower case; empty where it is a folder with a
            folder for each class.
        read: parses the path, and gathers the rows that are bad.
        title: the card's, in place of the task's, which is about the standard data.
        description: the card's.
    """

    what: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, BadRows], Data]
    title: str
    description: str

    def is_meant_by(self, path: Path) -> bool:
        """Whether ``path`` has this form; nothing is read."""
        if self.suffixes:
            return path.is_file() and path.suffix.lower() in self.suffixes
        return path.is_dir() and any(
            child.is_dir() and not child.name.startswith(".") for child in path.iterdir()
        )


class HasData(Protocol[Data]):
    """What brings data of its own: a task.

    Attributes:
        title: of what is trained on the standard data.
        description: of the same.
        data_set: the standard data.
        own_data: what may be taken instead; ``None`` where nothing else.
    """

    title: str
    description: str
    data_set: DataSet
    own_data: OwnData[Data] | None

    def load(self, found: Found) -> Data:
        """Parse the files of the standard data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[Data]):
    """Data that is ready to train on.

    Attributes:
        data: as the task knows it.
        story: what it is and where it came from, for people.
        bad: the rows of own data that were left out.
        title: of what is trained on it, for the card.
        description: of what is trained on it, for the card.
        own: whether it is the user's own.
        feedback: the data with what live traffic brought; ``None`` without that.
    """

    data: Data
    story: str
    bad: BadRows
    title: str
    description: str
    own: bool
    feedback: Merged[Data] | None = None

    @property
    def learned(self) -> Data:
        """What is learned from: the data, and the feedback where there is some."""
        return self.data if self.feedback is None else self.feedback.data


def load_data(task: HasData[Data], named: Path | None, max_bad_rows: float) -> Loaded[Data]:
    """Find and parse the data that a task is to learn from or be measured with.

    A folder that holds the files of the standard data set is that data set; anything else that
    has the form of the task's own data is own data.

    Args:
        task: the task.
        named: what the user named, also by its URL in an object store; ``None`` takes the standard
            data from where it is found.
        max_bad_rows: the largest share of bad rows in own data that is allowed.

    Raises:
        UsageError: what was named is not there, or is neither.
        TrainingError: the data cannot be found or downloaded, or is not what it should be.
        RepositoryError: an object store cannot be read.
    """
    bad = BadRows(max_bad_rows)
    url = None if named is None else bucket_url(named)
    here = None if named is None else local_copy(named)
    if here is None or find_dataset(task.data_set, here) is not None:
        found = find_or_download(task.data_set, here)
        return Loaded(
            data=task.load(found),
            story=f"{task.data_set.name} from {found.how}, {url or found.paths[0].parent}",
            bad=bad,
            title=task.title,
            description=task.description,
            own=False,
        )
    shown = url or str(named)
    if not here.exists():
        raise UsageError(f"{shown} is not there.")
    own = task.own_data
    if own is None or not own.is_meant_by(here):
        raise UsageError(
            f"{shown} does not hold the {task.data_set.name} data: "
            f"it needs {file_names(task.data_set)}" + (f"; nor is it {own.what}." if own else ".")
        )
    return Loaded(
        data=own.read(here, bad),
        story=f"{shown}, {own.what}",
        bad=bad,
        title=own.title,
        description=own.description,
        own=True,
    )
