"""The live version: the one that serves now, and that a new one would take the place of."""

from dataclasses import dataclass
from pathlib import Path

from service.repository.card import Card, read_card
from service.repository.golden import Golden, read_golden
from service.repository.policy import read_policy
from service.repository.store import Store


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A version that serves.

    Attributes:
        version: its number.
        folder: where it lies.
        card: its card; ``None`` of a foreign SavedModel.
        golden: its golden examples; ``None`` where it brings none.
    """

    version: int
    folder: Path
    card: Card | None
    golden: Golden | None


def find_incumbent(root: Path, model: str) -> Incumbent | None:
    """Return the highest version that serves by the model's policy; ``None`` when none does.

    Raises:
        RepositoryError: the policy, the card or the golden examples cannot be read.
    """
    versions = Store(root).versions(model)
    serving = read_policy(root / model).select(versions)
    if not serving:
        return None
    folder = versions[serving[-1]]
    return Incumbent(serving[-1], folder, read_card(folder), read_golden(folder))
