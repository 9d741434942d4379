"""Checks before a training of what would come to light only after it."""

import os
from typing import Any

from service.repository.contract import Contract
from service.repository.model_card import read_card
from service.repository.object_store.origin import check_publishable
from service.repository.object_store.refreshing import bring_up_to_date
from service.repository.precision import Precision, why_not_here
from training.console.progress import say
from training.errors import UsageError
from training.fitting.config import Settings
from training.fitting.initial_weights import InitialWeights
from training.fitting.run_folder import Run
from training.publishing.gates import run_contract_gate
from training.publishing.live_version import LiveVersion, contract_of
from training.publishing.sensitive_fields import mark_sensitive
from training.tasks.task_interface import Task
from training.workflows.feedback_data import data_alone_of


def make_room(run: Run) -> None:
    """Check that a version can be published; the folder where it would go is made for the run.

    Raises:
        RepositoryError: the object store where it would go cannot be read, or takes none.
        UsageError: the folder where it would go cannot be written to.
    """
    out = run.settings.out
    try:
        run.make_folder(out)
        bring_up_to_date(out, run.settings.model)
        check_publishable(out)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be a folder of models: {error.strerror}.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UsageError(f"--out {out} cannot be written to.")


def check_precision(task: Task[Any], run: Run) -> None:
    """Check that the export can be measured in the precision that it is to state.

    Raises:
        UsageError: it cannot.
    """
    precision = run.settings.precision
    if precision is Precision.FLOAT32:
        return
    if why := task.no_bf16:
        raise UsageError(f"--precision {precision}: {task.name} cannot be measured in it: {why}.")
    if why := why_not_here(precision):
        raise UsageError(f"--precision {precision} cannot be measured here: {why}.")


def check_contract(contract: Contract, live: LiveVersion | None, run: Run) -> None:
    """Check what the version will promise to clients.

    One that breaks promises of the live version is only warned about: another may be live by the
    time that it is trained, and it may be published by force.

    Raises:
        UsageError: no signature has a field that is to be marked as sensitive.
    """
    mark_sensitive(contract, run.settings.sensitive, contract_of(live))
    if run.settings.publish and live is not None:
        gate = run_contract_gate(contract, live)
        if not gate.passed:
            say(f"warning: its version will be refused without --force. {gate.sentence}")


def warn_of_known_rows(initial: InitialWeights, fingerprint: str, settings: Settings) -> None:
    """Say so where the rows held out are others than the version to begin with had held out."""
    seed = settings.seed
    card = read_card(initial.folder)
    if card is None or data_alone_of(card.data) != fingerprint:
        return
    own = card.training.get("seed")
    if own is not None and own != seed:
        say(
            f"warning: version {initial.version} learned from this data with --seed {own}, and so "
            f"from most rows that --seed {seed} holds out: the best epoch and the calibration "
            f"would show memory. --seed {own} holds out the rows that it has not seen."
        )
