"""What the tests of the training share: tiny data, and the real data where it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from training import tasks
from training.data.dataset_location import Found, find_dataset


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Parsed data is shared by the tests of a session, and leaves the tester's cache alone."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


def _real(model: str) -> Found:
    data_set = tasks.get(model).data_set
    found = find_dataset(data_set, None)
    if found is None:
        pytest.skip(f"the {data_set.name} data is not on this machine")
    return found


@pytest.fixture(scope="session")
def found_clothing(_cache: Path) -> Found:
    return _real("clothing")


@pytest.fixture(scope="session")
def found_sentiment(_cache: Path) -> Found:
    return _real("sentiment")


@pytest.fixture(scope="session")
def found_mpg(_cache: Path) -> Found:
    return _real("mpg")


@pytest.fixture
def without_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the seconds that the models beside mpg's own take in each training."""
    from training.tasks.task_interface import Task  # SciPy takes its time: not for every test

    monkeypatch.setattr(type(tasks.get("mpg")), "baselines", Task.baselines)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to work in, with data for the toy task, which stands beside the real ones."""
    from tests.training.toy import Toy, write_points  # Keras takes seconds: not for every test

    real, task = tasks.get, Toy()
    monkeypatch.setattr(tasks, "get", lambda name: task if name == task.name else real(name))
    monkeypatch.chdir(tmp_path)
    write_points(tmp_path / "data")
    return tmp_path
