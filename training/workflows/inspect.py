"""Look at what is there: published versions, their measurements, the data sets' places."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from service.repository.card import Card, read_card
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.errors import RepositoryError
from service.repository.independence import decide, of_policy, prove_independence
from service.repository.policy import read_policy
from service.repository.serving_status import Reality, realities
from service.repository.store import Store
from training import tasks
from training.console.number_format import figure, flat
from training.console.progress import say
from training.data.load import load
from training.data.locate import find, keras_home
from training.data.own.findings import findings_of
from training.errors import UsageError
from training.tasks.base import Task


def show_models(root: Path) -> None:
    """Print the models under ``root``, their versions and metrics, and which serve.

    Beside each other stand what the policy asks for and what the services tell.

    Raises:
        RepositoryError: a model's policy cannot be read.
    """
    store = Store(root)
    models = store.models()
    if not models:
        say(f"There are no models in {root}.")
        return
    rows = []
    real = realities(store, models)
    for model in models:
        versions = store.versions(model)
        policy = read_policy(root / model)
        wished = policy.select(versions)
        for version, folder in versions.items():
            labels = [label for label, named in policy.labels.items() if named == version]
            wish = "yes" if version in wished else ""
            serves = _serves(real[model], version)
            rows.append((model, str(version), wish, serves, ", ".join(labels), *_described(folder)))
    columns = ("model", "version", "policy", "serves", "labels", "network", "metric", "created")
    _print(columns, rows)
    untold = [model for model in models if not real[model].is_known]
    if untold:
        say(
            f"No service that runs now tells what serves of {', '.join(untold)}: "
            "the column policy says what would."
        )
    for model in models:
        for version, reason in sorted(real[model].refused.items()):
            say(f"{model} version {version} was refused: {reason}")


def _serves(real: Reality, version: int) -> str:
    if version in real.serving:
        return "yes"
    if version in real.refused:
        return "refused"
    return "" if real.is_known else "?"


def evaluate(
    task: Task[Any], root: Path, version: int | None, named: Path | None, max_bad_rows: float
) -> None:
    """Measure a published version through its SavedModel, and print the figures beside its card's.

    Raises:
        UsageError: there is no such version, or it tells other classes than the data has.
        TrainingError: the version cannot be loaded, or the data is not there.
    """
    from training.publishing import export  # imports TensorFlow, which takes seconds: not for list

    versions = Store(root).versions(task.name)
    if not versions:
        raise UsageError(f"There is no version of {task.name} in {root}.")
    version = max(versions) if version is None else version
    if version not in versions:
        known = ", ".join(map(str, versions))
        raise UsageError(f"{task.name} has no version {version} in {root}; it has {known}.")
    card = read_card(versions[version])
    data = load(task, named, max_bad_rows).data
    _check_classes(version, card, task.classes(data))
    predict = export.open_saved_model(versions[version])
    measured = task.measure(task.answers(data, predict))
    claimed = flat(card.evaluation) if card else {}
    say(f"{task.name} version {version}: {measured['headline']['name']}")
    rows = [
        (name, figure(value), figure(claimed.get(name, "")))
        for name, value in flat(measured).items()
        if not name.startswith("headline.")
    ]
    _print(("figure", "now", "card"), rows)
    if "per_class" in measured:
        of_classes = measured["per_class"]
        _print(tuple(of_classes[0]), [tuple(map(figure, row.values())) for row in of_classes])


def show_independence(folder: Path) -> None:
    """Print for each signature of a SavedModel whether rows are independent, who says so, and why.

    The card's word and the policy's count before the graph's, as they do in the service.

    Raises:
        UsageError: there is no SavedModel in the folder.
        RepositoryError: the card or the policy cannot be read.
    """
    proofs = prove_independence(folder)
    if not proofs:
        raise UsageError(f"{folder} holds no SavedModel that can be read.")
    card, declared = read_card(folder), read_policy(folder.absolute().parent).rows_independent
    rows = []
    for name, proof in sorted(proofs.items()):
        signature = card.contract.get(name) if card else None
        said, source, reason = proof.holds, "graph", proof.reason
        if signature is not None:
            verdict = decide(signature, proof, "", declared)
            said, source, reason = verdict.holds, verdict.source, verdict.reason
        elif (word := of_policy(name, declared)) is not None:
            said, source, reason = word, "policy", "policy.json says so."
        if source != "graph":
            reason += f" The graph: {proof.reason}"
        rows.append((name, "yes" if said else "no", source, reason))
    _print(("signature", "rows independent", "source", "reason"), rows)


def show_data_sets(named: Path | None) -> None:
    """Print for each data set which model needs it, whether it is here, and where."""
    rows = []
    for name in tasks.names():
        data_set = tasks.get(name).data_set
        found = find(data_set, named)
        if found is None:
            target = named or keras_home() / "datasets" / data_set.folder
            files = ", ".join(file.name for file in data_set.files)
            state, place = "not here", f"would be {target}: {files}"
        else:
            size = sum(path.stat().st_size for path in found.paths)
            state = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
            place = f"{found.paths[0].parent} ({found.how})"
        rows.append((data_set.name, name, state, place))
    _print(("data set", "model", "size", "place"), rows)


def show_data(task: Task[Any], named: Path | None) -> None:
    """Read the data of a task; print what it is, what is to be remarked, and all bad rows.

    Raises:
        TrainingError: the data is not there, or nothing could be learned from it.
    """
    loaded = load(task, named, max_bad_rows=1.0)
    say(loaded.story)
    summary = task.summary(loaded.data)
    for name, value in flat(summary).items():
        say(f"{name}: {figure(value)}")
    for found in findings_of(summary):
        say(f"warning: {found.sentence}")
    for line in loaded.bad.lines:
        say(f"  {line}")


def _check_classes(version: int, card: Card | None, classes: Sequence[str]) -> None:
    if card is None or not classes:
        return
    for field in card.contract[DEFAULT_SIGNATURE].outputs:
        if field.choices and field.choices != tuple(classes):
            raise UsageError(
                f"Version {version} tells {', '.join(map(str, field.choices))}; "
                f"the data has {', '.join(classes)}."
            )


def _described(folder: Path) -> tuple[str, str, str]:
    """Return network, metric and date of a version; a foreign SavedModel tells nothing."""
    try:
        card = read_card(folder)
    except RepositoryError as error:
        return "", f"unreadable card: {error}", ""
    if card is None:
        return "", "no card", ""
    return str(card.training.get("arch", "")), _metric(card.evaluation), card.created_at


def _metric(evaluation: Mapping[str, Any]) -> str:
    match evaluation.get("headline"):
        case {"name": name, "value": value, "low": low, "high": high}:
            return f"{name} {value:.4f} ({low:.4f} to {high:.4f})"
        case {"name": name, "value": value}:
            return f"{name} {value:.4f}"
        case _:
            return "not measured"


def _print(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    console = Console()
    # Lines of a log or a pipe have no width to keep to.
    width = None if console.is_terminal else 400
    table = Table(*header, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    Console(width=width, highlight=False).print(table, markup=False)
