"""From settings to a published version: load, train, export, measure, prove, publish."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.repository.model_card import Card
from service.repository.model_store import Store
from service.repository.object_store.origin import place_of
from service.repository.object_store.refreshing import bring_up_to_date
from service.repository.precision import Precision
from service.repository.reference.reference_file import write_reference
from service.repository.rollout_policy import RolloutRules
from training import tasks
from training.array_types import Predict
from training.console.number_format import figure
from training.console.progress import say, working
from training.console.terminal_table import print_table
from training.data.feedback.given_truths import read_feedback
from training.data.feedback.merging import Audited
from training.data.load import Loaded, load_data
from training.data.own.findings import findings_of
from training.errors import RefusedError, UsageError
from training.evaluation.calibration import on_test_set
from training.evaluation.metrics import beside_the_headline
from training.evaluation.out_of_fold import write_errors
from training.evaluation.predictions import ClassificationPredictions, Predictions
from training.fitting import training_loop
from training.fitting.config import Settings, architecture_of
from training.fitting.initial_weights import InitialWeights, keep_copy, kept_copy, write_weights
from training.fitting.process_lock import exclusive_lock
from training.fitting.run_folder import Run, keep_to_data
from training.fitting.training_plan import TrainingPlan
from training.publishing import saved_model_export, version_policy
from training.publishing.export_precision import alike_in_both
from training.publishing.gate_report import Candidate, GateReport
from training.publishing.gates import run_gates
from training.publishing.golden_regression import carried_over
from training.publishing.learned_feedback import read_learned, write_learned
from training.publishing.live_version import contract_of, find_live_version
from training.publishing.provenance import git_commit, libraries
from training.publishing.row_independence import declare_independence
from training.publishing.sensitive_fields import mark_sensitive
from training.publishing.version_reference import answered_reference
from training.reporting.mistakes import worst_mistakes
from training.reporting.report import ReportData, write_report
from training.tasks.task_interface import Exportable, Task
from training.workflows import preflight
from training.workflows.feedback_data import summary_of, with_feedback
from training.workflows.init_from_option import find_initial_version
from training.workflows.resume_command import resume_command


def train(run: Run, *, force: bool = False, rollout: RolloutRules | None = None) -> int | None:
    """Train as the run's settings say, from its last checkpoint where it has one.

    Args:
        run: the run.
        force: publish what the gates refuse.
        rollout: the rules by which the version is put on trial; ``None`` lets it serve at once.

    Returns:
        the number of the published version; ``None`` when the settings say not to publish.

    Raises:
        BusyError: another process trains in the run's folder.
        RefusedError: a gate refuses the version.
        TrainingError: the data is not there, or the model does not prove itself.
    """
    with exclusive_lock(run.lock, f"A training in {run.folder}"):
        return _train(run, force, rollout)


def _train(run: Run, force: bool, rollout: RolloutRules | None) -> int | None:
    settings = run.settings
    task: Task[Any] = tasks.get(settings.model)
    with run.discarded_on_failure():
        loaded, plan = _checked(task, run, rollout)
    architecture = task.architectures[settings.arch]
    say(
        f"{settings.model}, {settings.arch}: {architecture.description}{_changed(task, settings)}; "
        f"{plan.model.count_params():,} parameters; run folder {run.folder}"
    )
    training_loop.fit(plan, architecture, run)
    exported = _export(task, loaded, plan, run, force)
    headline = exported.card.evaluation["headline"]
    say(f"{headline['name']}: {headline['value']:.4f}; report in {run.report}")
    for line in beside_the_headline(exported.card.evaluation):
        say(line)
    outcome = "Not published: publishing failed."
    try:
        version, outcome = _publish(exported.gates, run, force, rollout)
    except RefusedError:
        outcome = "Not published."
        raise
    finally:
        data = ReportData(
            settings=settings.to_json(),
            history=run.history(),
            card=exported.card,
            answers=exported.answers,
            mistakes=worst_mistakes(task, loaded.data, exported.answers),
            gates=exported.gates,
            outcome=outcome,
        )
        write_report(run.report, data)
    return version


def _changed(task: Task[Any], settings: Settings) -> str:
    """Return what a tuning chose otherwise than the architecture's description says, in words."""
    changed = [
        f"{name} {figure(value)}"
        for name, value in settings.hyperparameters.items()
        if value != getattr(task.networks[settings.arch], name)
    ]
    return f", but with {', '.join(changed)}" if changed else ""


def _checked(
    task: Task[Any], run: Run, rollout: RolloutRules | None
) -> tuple[Loaded[Any], TrainingPlan]:
    """Return what ``planned`` does, once all is checked that would stop the version in the end."""
    if run.settings.publish:
        preflight.make_room(run)
        if rollout is not None:
            version_policy.check_no_rollout(run.settings.out, run.settings.model)
    live = find_live_version(run.settings.out, run.settings.model)
    preflight.check_precision(task, run)
    loaded, plan = planned(task, run)
    preflight.check_contract(task.contract(loaded.learned), live, run)
    return loaded, plan


def _publish(
    gates: GateReport, run: Run, force: bool, rollout: RolloutRules | None
) -> tuple[int | None, str]:
    """Publish the export as the run's settings say; return the version, and a sentence on it.

    Raises:
        RefusedError: a gate refuses the version, and it is not forced.
    """
    settings = run.settings
    if not settings.publish:
        say(f"not published; the export is in {run.export}")
        return None, "Not published, as the settings say."
    _pass(gates, run, force, rollout)
    store = Store(settings.out)
    before = version_policy.in_use(store, settings.model)
    with (
        contextlib.nullcontext(lambda version: None)
        if rollout is None
        else version_policy.published_on_trial(settings.out, settings.model, rollout)
    ) as begin:
        version = saved_model_export.publish(run.export, settings.out, settings.model)
        say(f"published as {place_of(settings.out)}/{settings.model}/{version}")
        begin(version)
    version_policy.after_publishing(store, settings.model, before)
    forced = "" if gates.passed else " anyway (--force)"
    return version, f"Published{forced} as version {version}."


def export_as_it_is(task: Task[Any], loaded: Loaded[Any], plan: TrainingPlan, run: Run) -> Card:
    """Export the network of ``plan`` with the weights that it has, measure and prove it.

    Raises:
        TrainingError: the model does not prove itself, or its training had diverged.
    """
    history = training_loop.known_history(plan, run)
    epoch = run.exported_epoch or training_loop.best_epoch(plan, history)
    training_loop.check_figures(history, epoch)
    return _export(task, loaded, plan, run).card


def planned(task: Task[Any], run: Run) -> tuple[Loaded[Any], TrainingPlan]:
    """Load the data and build the network."""
    architecture_of(task.name, task.architectures, run.settings.arch)
    initial = _initial_weights(task, run)
    loaded = _load(task, run)
    training_loop.set_seed(run.settings.seed)
    if initial is None:
        return loaded, task.plan(loaded.learned, run.settings)
    say(f"starting from version {initial.version}")
    preflight.warn_of_known_rows(initial, task.summary(loaded.data)["fingerprint"], run.settings)
    plan = task.plan_as_published(loaded.learned, run.settings, initial.folder)
    initial.load_into(plan.model, task.classes(loaded.data))
    return loaded, plan


def _initial_weights(task: Task[Any], run: Run) -> InitialWeights | None:
    """Find the version to begin with, and keep a copy for when the run is resumed."""
    which = run.settings.init_from
    if which is None:
        return None
    if task.fine_tuning_unsupported:
        raise UsageError(
            f"{task.name} cannot start from a version: {task.fine_tuning_unsupported}."
        )
    return kept_copy(run.start) or keep_copy(
        find_initial_version(run.settings.out, task.name, which), run.start
    )


def _load(task: Task[Any], run: Run) -> Loaded[Any]:
    """Load the data, and keep in the run folder what is wrong with it."""
    loaded = load_data(task, run.settings.data, run.settings.max_bad_rows)
    say(f"data: {loaded.story}")
    feedback = read_feedback(run.feedback)
    loaded = with_feedback(task, loaded, feedback)
    summary = summary_of(task, loaded, feedback)
    for found in findings_of(summary):
        say(f"warning: {found.sentence}")
    keep_to_data(run.folder, summary["fingerprint"], run.has_begun())
    if loaded.bad.lines:
        run.bad_rows.write_text("\n".join(loaded.bad.lines) + "\n", encoding="utf-8")
        say(f"{len(loaded.bad):,} bad rows are left out; {run.bad_rows} lists them:")
        say(loaded.bad.listing())
    if loaded.feedback is not None:
        say(f"feedback: {loaded.feedback.story()}")
        if loaded.feedback.unfit.lines:
            say(loaded.feedback.unfit.listing())
    return loaded


@dataclass(frozen=True, slots=True)
class _Exported:
    """An export: its card, its answers, and whether it may be published."""

    card: Card
    answers: Predictions
    gates: GateReport


def _export(
    task: Task[Any], loaded: Loaded[Any], plan: TrainingPlan, run: Run, force: bool = False
) -> _Exported:
    """Export the trained network into the run folder; measure, gate and prove it there."""
    settings, data = run.settings, loaded.data
    exportable = task.exportable(loaded.learned, plan)
    saved_model_export.write_saved_model(exportable, run.export)
    if exportable.out_of_fold is not None:
        write_errors(run.export, exportable.out_of_fold)
    predict = saved_model_export.open_saved_model(run.export, settings.precision)
    with working("measuring the export on the full test set"):
        answers = task.answers(data, predict)
        evaluation = _evaluation(task, data, plan, exportable, answers)
    known, audits = _known_feedback(loaded, run)
    if settings.publish:
        # Others may have published since the training began.
        bring_up_to_date(settings.out, settings.model)
    incumbent = find_live_version(settings.out, settings.model)
    comparing = "checking the gates"
    if incumbent is not None:
        comparing = f"comparing it with live version {incumbent.version} ({incumbent.how})"
    in_float32: Predict | None = None
    if settings.precision is not Precision.FLOAT32:
        in_float32 = saved_model_export.open_saved_model(run.export, Precision.FLOAT32)
    candidate = Candidate(
        exportable=exportable,
        predict=predict,
        answers=answers,
        evaluation=evaluation,
        of_own_data=loaded.own,
        in_float32=in_float32,
    )
    with working(comparing):
        report = run_gates(task, data, candidate, incumbent, audits)
    cases = list(task.golden(data, predict))
    if incumbent is not None:
        cases += carried_over(cases, incumbent, exportable.contract)
    golden = saved_model_export.answer(predict, exportable.contract, cases)
    if in_float32 is not None:
        golden = alike_in_both(golden, exportable.contract, in_float32)
    contract = mark_sensitive(
        declare_independence(predict, exportable.contract, golden),
        settings.sensitive,
        contract_of(incumbent),
    )
    gates = {**report.to_json(), "forced": force and not report.passed}
    card = Card(
        name=task.name,
        title=loaded.title,
        description=loaded.description,
        task=task.kind,
        contract=contract,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        evaluation=evaluation,
        training={**_training(plan, run), "gates": gates},
        data=summary_of(task, loaded, read_feedback(run.feedback)),
        libraries=libraries(),
        precision=settings.precision,
    )
    if not task.fine_tuning_unsupported:
        write_weights(run.export, plan.model, task.classes(data))
    write_learned(run.export, known)
    saved_model_export.finish(run.export, card, golden)
    with working("describing the rows that live ones are compared with"):
        reference = answered_reference(predict, contract, task.reference_rows(data))
    if reference is not None:
        write_reference(run.export, reference)
    saved_model_export.prove(saved_model_export.open_saved_model(run.export), run.export)
    if in_float32 is not None:
        saved_model_export.prove(in_float32, run.export)
    return _Exported(card, exportable.out_of_fold or answers, report)


def _known_feedback(
    loaded: Loaded[Any], run: Run
) -> tuple[frozenset[str], Sequence[Audited] | None]:
    """Return the rows of feedback that the network has learned from, and audits that it has not.

    What the version that it began with has learned, it knows as well.
    """
    start = kept_copy(run.start)
    known = frozenset[str]() if start is None else read_learned(start.folder)
    if loaded.feedback is None:
        return known, None
    known |= loaded.feedback.learned
    return known, [audit for audit in loaded.feedback.held if audit.row.key not in known]


def _evaluation(
    task: Task[Any], data: Any, plan: TrainingPlan, exportable: Exportable, answers: Predictions
) -> dict[str, Any]:
    """Measure the export; for the card."""
    evaluation = {**task.measure(answers), **exportable.evaluation}
    if "calibration" in evaluation and isinstance(answers, ClassificationPredictions):
        evaluation["calibration"] = on_test_set(answers, evaluation["calibration"])
    baselines = task.baselines(data, plan)
    return evaluation | ({"compared": dict(baselines)} if baselines else {})


def _pass(report: GateReport, run: Run, force: bool, rollout: RolloutRules | None) -> None:
    """Print what the gates say.

    Raises:
        RefusedError: one of them refuses the version, and it is not forced.
    """
    # Refusals first, because they matter most.
    results = sorted(report.results, key=lambda result: result.passed)
    outcomes = [(r.gate, "passed" if r.passed else "refused", r.sentence) for r in results]
    if outcomes:
        print_table(("gate", "result", "why"), outcomes)
    if report.passed:
        return
    if force:
        say("published anyway (--force)")
        return
    raise RefusedError(
        f"Not published: {' '.join(report.refusals())} To publish it anyway: "
        f"{resume_command(run, '--force', rollout=rollout)}"
    )


# Settings that do not decide what is learned, or that are of this machine.
_NOT_LEARNED = {"model", "data", "init_from", "out", "publish", "checkpoints"}


def _training(plan: TrainingPlan, run: Run) -> dict[str, Any]:
    """Say how the network was trained, so that it can be trained again; for the card."""
    settings, initial = run.settings.to_json(), kept_copy(run.start)
    history = training_loop.known_history(plan, run)
    return {
        **{name: value for name, value in settings.items() if name not in _NOT_LEARNED},
        # By its number, also if "live" was asked for: the live version changes.
        **({"init_from": initial.version} if initial else {}),
        "epochs_done": len(history),
        "best_epoch": training_loop.best_epoch(plan, history),
        **({"exported_epoch": run.exported_epoch} if run.exported_epoch else {}),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "parameters": plan.model.count_params(),
        # The last epoch may have diverged where an earlier one is exported.
        "last_epoch": {
            name: value if math.isfinite(value) else None
            for name, value in history[-1].items()
            if name not in ("epoch", "seconds")
        },
        "git_commit": git_commit(),
    }
