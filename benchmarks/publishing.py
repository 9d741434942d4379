"""Publishing a version that has been trained before, as a trainer does it."""

import shutil
from pathlib import Path

from service.repository.manifest import MANIFEST
from service.repository.model_store import Store


def republish(store: Store, model: str, version: Path) -> int:
    """Publish the version in the folder ``version`` as the next of ``model``; return its number."""

    def fill(staging: Path) -> None:
        ignore = shutil.ignore_patterns(MANIFEST)
        shutil.copytree(version, staging, dirs_exist_ok=True, ignore=ignore)

    return store.publish(model, fill)
