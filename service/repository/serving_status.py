"""What really serves of a store's models, as the records of all workers say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.repository.model_policy import Policy
from service.repository.model_store import Store
from service.repository.serving_records import Record, read_records, version_digest


@dataclass(frozen=True, slots=True)
class Reality:
    """What really serves of one model, as far as services say.

    Attributes:
        is_known: whether a service that is running says anything of this model.
        serving: the versions that answer requests somewhere, with the digests of their files.
        refused: why versions cannot serve, of those whose files are as they were when a service
            refused them, and that serve nowhere.
    """

    is_known: bool
    serving: Mapping[int, str]
    refused: Mapping[int, str]

    def expected(self, policy: Policy, available: Mapping[int, Path]) -> list[int]:
        """Return the versions that serve, lowest first: as services say, else by the policy.

        By the policy are those that it asks for among the versions that nobody has refused.

        Args:
            policy: the model's policy.
            available: the versions that there are.
        """
        really = sorted(self.serving.keys() & available.keys())
        return really or policy.select(available.keys() - self.refused.keys())


def reality(store: Store, model: str) -> Reality:
    """Return what the services that use ``store`` say of a model."""
    return realities(store, [model])[model]


def realities(store: Store, models: list[str]) -> dict[str, Reality]:
    """Return what the services that use ``store`` say, by model."""
    records = read_records(store.root)
    return {model: _reality(records, model, store.versions(model)) for model in models}


def _reality(records: list[Record], model: str, folders: Mapping[int, Path]) -> Reality:
    known = [(record.alive, record.models[model]) for record in records if model in record.models]
    serving: dict[int, str] = {}
    for alive, said in known:
        if alive:
            serving |= said.versions
    refused = {
        version: refusal.reason
        for _, said in known
        for version, refusal in said.refused.items()
        if version not in serving
        and version in folders
        and version_digest(folders[version]) == refusal.digest
    }
    return Reality(any(alive for alive, _ in known), serving, refused)
