"""From settings to a published version: load, train, export, measure, prove, publish."""

from datetime import UTC, datetime
from typing import Any

from service.repository.card import Card
from service.repository.policy import read_policy
from service.repository.store import Store
from training import export, fitting, serving, tasks
from training.progress import say
from training.provenance import git_commit, libraries
from training.report import write_report
from training.runs import Run
from training.sources import obtain
from training.task import Plan, Task


def train(run: Run) -> int | None:
    """Train as the run's settings say, from its last checkpoint where it has one.

    Returns:
        the number of the published version; ``None`` when the settings say not to publish.

    Raises:
        TrainingError: the data is not there, or the model does not prove itself.
    """
    settings = run.settings
    task: Task[Any] = tasks.get(settings.model)
    architecture = task.architectures[settings.arch]
    found = obtain(task.data_set, settings.data)
    say(f"data: {task.data_set.name} from {found.how}, {found.paths[0].parent}")
    data = task.load(found)
    fitting.prepare(settings.seed)
    plan = task.plan(data, settings)
    say(
        f"{settings.model}, {settings.arch}: {architecture.description}; "
        f"{plan.model.count_params():,} parameters; run folder {run.folder}"
    )
    fitting.fit(plan, architecture, run)
    card = _export(task, data, plan, run)
    write_report(run, card)
    headline = card.evaluation["headline"]
    say(f"{headline['name']}: {headline['value']:.4f}; report in {run.report}")
    if not settings.publish:
        say(f"not published; the export is in {run.export}")
        return None
    store = Store(settings.out)
    before = read_policy(store.root / settings.model).in_use(store.versions(settings.model))
    version = export.publish(run.export, settings.out, settings.model)
    say(f"published as {settings.out / settings.model / str(version)}")
    serving.after_publishing(store, settings.model, before)
    return version


def _export(task: Task[Any], data: Any, plan: Plan, run: Run) -> Card:
    """Export the trained network into the run folder, and measure and prove it there."""
    exportable = task.exportable(data, plan)
    export.write_saved_model(exportable, run.export)
    predict = export.open_saved_model(run.export)
    say("measuring the export on the full test set")
    measured = task.measure(task.answers(data, predict))
    cases = task.golden(data, predict)
    golden = export.answer(predict, exportable.contract, cases)
    card = Card(
        name=task.name,
        title=task.title,
        description=task.description,
        task=task.kind,
        contract=exportable.contract,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        evaluation={**measured, **exportable.evaluation},
        training=_training(plan, run),
        data=task.summary(data),
        libraries=libraries(),
    )
    export.finish(run.export, card, golden)
    export.prove(export.open_saved_model(run.export), run.export)
    return card


def _training(plan: Plan, run: Run) -> dict[str, Any]:
    """Say how the network was trained; for the card. Paths of this machine do not belong there."""
    settings, history = run.settings, run.history()
    return {
        "arch": settings.arch,
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "seed": settings.seed,
        "epochs_done": len(history),
        "best_epoch": fitting.best_epoch(plan, history),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "parameters": plan.model.count_params(),
        "last_epoch": {k: v for k, v in history[-1].items() if k not in ("epoch", "seconds")},
        "git_commit": git_commit(),
    }
