"""``tune`` in processes of its own, whose database goes away while they train."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.training.process import TrainingProcess
from tests.training.tuning.lost_databases import overwritten, removed, without_tables
from tests.waiting import eventually
from training.data.dataset_location import Found


def trials_that_learn(database: Path) -> int:
    """Return how many trials have told the study of an epoch."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            query = "SELECT count(DISTINCT trial_id) FROM trial_intermediate_values"
            (count,) = connection.execute(query).fetchone()
        except sqlite3.OperationalError:  # it is being made, or somebody writes
            return 0
        return int(count)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    """Whether a process has ended, whoever is to take note of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("happens", [removed, overwritten, without_tables])
def test_all_processes_end_with_a_sentence(
    found_mpg: Found, tmp_path: Path, happens: Callable[[Path], None]
) -> None:
    tune = ["-m", "training", "tune", "mpg", "--arch", "tutorial", "--trials", "2", "--jobs", "2"]
    process = TrainingProcess(*tune, "--epochs", "1000000", cwd=tmp_path, logs=tmp_path)
    database = tmp_path / "runs" / "mpg" / "tune-tutorial" / "study.db"
    try:
        eventually(lambda: trials_that_learn(database) == 2 or process.poll() is not None, 240)
        workers = children(process.pid)
        assert len(workers) == 2, process.errors.read_text()
        happens(database)
        process.wait(240)
    finally:
        process.kill()
        process.wait()
    told = process.errors.read_text()
    logs = "\n".join(log.read_text() for log in database.parent.glob("worker-*.log"))
    assert process.returncode == 1, told
    assert told.startswith("The database of the study "), (told, logs)
    assert told.count("\n") == 1, (told, logs)
    eventually(lambda: all(map(is_gone, workers)))
