"""Resolves ``--init-from``: the published version that a training starts with."""

from pathlib import Path

from service.repository.model_store import Store
from training.console.progress import say
from training.errors import UsageError
from training.fitting.initial_weights import InitialWeights
from training.publishing.live_version import find_live_version


def find_initial_version(root: Path, model: str, which: str) -> InitialWeights:
    """Find the version whose weights a training starts with.

    Args:
        root: the folder of models.
        model: the model's name.
        which: "live", or a version's number.

    Raises:
        UsageError: there is no such version.
    """
    if which == "live":
        incumbent = find_live_version(root, model)
        if incumbent is None:
            raise UsageError(f"No version of {model} serves in {root} that could be started from.")
        say(f"live is version {incumbent.version} ({incumbent.how})")
        return InitialWeights(incumbent.folder)
    versions = Store(root).versions(model)
    if int(which) not in versions:
        known = ", ".join(map(str, versions)) or "none"
        raise UsageError(f"{model} has no version {which} in {root}; there are: {known}.")
    return InitialWeights(versions[int(which)])
