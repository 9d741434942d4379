"""Finds the live version: the one that serves now, and that a new one would replace.

That is what the services report (``service.repository.serving_records``), not what the policy
asks for: a version that was refused does not serve, however high its number.
"""

from dataclasses import dataclass
from pathlib import Path

from service.repository.contract import Contract
from service.repository.errors import RepositoryError
from service.repository.golden_examples import Golden, read_golden
from service.repository.model_card import Card, read_card
from service.repository.model_policy import read_policy
from service.repository.model_store import Store
from service.repository.serving_records import version_digest
from service.repository.serving_status import Reality, reality


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """A version that serves.

    Attributes:
        version: its number.
        folder: its folder.
        card: its card; ``None`` of a foreign SavedModel.
        golden: its golden examples; ``None`` where it has none.
        how: how it is known to serve, for people.
    """

    version: int
    folder: Path
    card: Card | None
    golden: Golden | None
    how: str = "it serves"


def find_live_version(root: Path, model: str) -> LiveVersion | None:
    """Return the highest version that serves; ``None`` when none does.

    While a rollout is under way it is the version that leads: a candidate on trial has not
    replaced it.

    Where no running service reports what serves, it is the highest that the policy asks for
    of those that no service has refused.

    Raises:
        RepositoryError: the policy, the card or the golden examples cannot be read; the message
            names the version.
    """
    store = Store(root)
    versions = store.versions(model)
    real = reality(store, model)
    policy = read_policy(root / model)
    serving = real.expected(policy, versions)
    if not serving:
        return None
    leading = None if policy.rollout is None else policy.rollout.leading
    version = leading if leading in serving else serving[-1]
    folder = versions[version]
    how = _how(model, real, version, folder)
    try:
        card, golden = read_card(folder), read_golden(folder)
    except RepositoryError as error:
        raise RepositoryError(
            f"Live version {version} of {model} ({folder}) cannot be read: {error} Repair it, or "
            "let another version serve."
        ) from error
    return LiveVersion(version, folder, card, golden, how)


def contract_of(live: LiveVersion | None) -> Contract | None:
    """Return the contract of the live version; ``None`` without one, and of one without a card."""
    return None if live is None or live.card is None else live.card.contract


def _how(model: str, real: Reality, version: int, folder: Path) -> str:
    if version not in real.serving:
        vanished = ", ".join(map(str, sorted(real.serving)))
        if vanished:
            return f"by the policy: the folder of version {vanished}, which serves, is gone"
        if real.is_known:
            return "by the policy: the service that runs serves none yet"
        return f"by the policy: no running service reports what it serves of {model}"
    if real.serving[version] not in ("", version_digest(folder)):
        return "it serves, but its files were changed since it was loaded"
    return "it serves"
