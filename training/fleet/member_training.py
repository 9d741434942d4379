"""The training of one member of a fleet, in a process of its own, to its verdict."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.object_store.origin import models_folder
from training.console.library_errors import sentence_of
from training.errors import BusyError, NoNewDataError, RefusedError, TrainingError
from training.fleet.fleet_file import Member

PUBLISHED, REFUSED, NO_NEW_DATA, BUSY, FAILED = (
    "published",
    "refused",
    "no_new_data",
    "busy",
    "failed",
)
OUTCOMES = (PUBLISHED, REFUSED, NO_NEW_DATA, BUSY, FAILED)
_BY_ERROR = ((RefusedError, REFUSED), (NoNewDataError, NO_NEW_DATA), (BusyError, BUSY))


@dataclass(frozen=True, slots=True)
class MemberVerdict:
    """How one member's training ended.

    Attributes:
        member: its name.
        outcome: one of ``OUTCOMES``.
        why: a sentence.
        version: the version that was published; ``None`` without one.
        seconds: how long it took.
    """

    member: str
    outcome: str
    why: str
    version: int | None
    seconds: float


def train_member(member: Member, folder: Path) -> MemberVerdict:
    """Train and publish a member if there is new data; go on with a run that was broken off.

    Args:
        member: whom.
        folder: the fleet's; the member's runs lie below, in a folder of its name.

    Returns:
        the verdict; whatever fails is one.

    Raises:
        KeyboardInterrupt: the training was interrupted; the next one goes on with it.
    """
    # Imports TensorFlow, which the process that conducts the fleet does without.
    from training.workflows.retrain import retrain_in

    began = time.monotonic()
    version = None
    try:
        # On the node that trains, where it is the mirror of an object store.
        settings = replace(member.settings, out=models_folder(member.settings.out))
        version = retrain_in(folder / member.name, settings)
        outcome, why = PUBLISHED, f"Published as version {version}."
    except (TrainingError, RepositoryError) as error:
        outcomes = (outcome for kind, outcome in _BY_ERROR if isinstance(error, kind))
        outcome, why = next(outcomes, FAILED), str(error)
    except Exception as error:
        # One member that fails, in whatever way, ends no other.
        outcome, why = FAILED, sentence_of(error) or f"{type(error).__name__}: {error}"
    return MemberVerdict(member.name, outcome, why, version, time.monotonic() - began)
