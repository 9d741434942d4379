"""Show where the data sets are, and what is in one."""

import json
from pathlib import Path
from typing import Any

from training import tasks
from training.console.number_format import figure, flat
from training.console.progress import progress_beside, say
from training.console.terminal_table import print_table
from training.data.dataset_location import find_dataset, keras_home
from training.data.load import load_data
from training.data.object_store_data import local_copy
from training.data.own.findings import findings_of
from training.tasks.task_interface import Task


def show_all(named: Path | None, *, as_json: bool = False) -> None:
    """Print for each data set which model needs it, whether it is here, and where.

    Args:
        named: a folder, or its URL in an object store, to look in instead of the known places.
        as_json: print a list of objects with ``data_set``, ``model``, ``bytes``, ``folder``,
            ``found`` and ``files``; ``bytes`` and ``found`` are null where the data is not here.
    """
    here = None if named is None else local_copy(named)
    listed = [_place(name, here) for name in tasks.task_names()]
    if as_json:
        say(json.dumps(listed, indent=2))
        return
    rows = []
    for item in listed:
        size = item["bytes"]
        if size is None:
            state, place = "not here", f"would be {item['folder']}: {', '.join(item['files'])}"
        else:
            state = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
            place = f"{item['folder']} ({item['found']})"
        rows.append((item["data_set"], item["model"], state, place))
    print_table(("data set", "model", "size", "place"), rows)


def show_one(task: Task[Any], named: Path | None, *, as_json: bool = False) -> None:
    """Read the data of a task; print what it is, what looks wrong with it, and all bad rows.

    Args:
        task: the task.
        named: the data to read; ``None`` for the standard data.
        as_json: print an object with ``story``, ``summary``, ``warnings`` and ``bad_rows``.

    Raises:
        TrainingError: the data is not there, or nothing could be learned from it.
    """
    with progress_beside(as_json):
        loaded = load_data(task, named, max_bad_rows=1.0)
    summary = task.summary(loaded.data)
    warnings = [found.sentence for found in findings_of(summary)]
    if as_json:
        about = {"story": loaded.story, "summary": summary, "warnings": warnings}
        say(json.dumps({**about, "bad_rows": loaded.bad.lines}, indent=2))
        return
    say(loaded.story)
    for name, value in flat(summary).items():
        say(f"{name}: {figure(value)}")
    for sentence in warnings:
        say(f"warning: {sentence}")
    for line in loaded.bad.lines:
        say(f"  {line}")


def _place(name: str, named: Path | None) -> dict[str, Any]:
    data_set = tasks.get(name).data_set
    found = find_dataset(data_set, named)
    folder = named or keras_home() / "datasets" / data_set.folder
    return {
        "data_set": data_set.name,
        "model": name,
        "bytes": None if found is None else sum(path.stat().st_size for path in found.paths),
        "folder": str(folder if found is None else found.paths[0].parent),
        "found": None if found is None else found.how,
        "files": [file.name for file in data_set.files],
    }
