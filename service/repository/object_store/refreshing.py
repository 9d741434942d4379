"""Brings a publisher's mirror of a store up to date, before it decides by what is there."""

from pathlib import Path

from service.repository.model_store import Store
from service.repository.object_store.bucket import Bucket, BucketError
from service.repository.object_store.mirror import Mirror
from service.repository.object_store.mirror_folder import MirrorFolder
from service.repository.object_store.origin import PUBLISHING, mirror_folder_of, origin_url


def current_store(root: Path, model: str | None = None) -> Store:
    """Return the models in a folder, after ``bring_up_to_date``, which raises the same."""
    bring_up_to_date(root, model)
    return Store(root)


def bring_up_to_date(root: Path, model: str | None) -> None:
    """Fetch what a store has of a model that its mirror lacks, and remove what is gone.

    Nothing is done for a folder of its own, or one that another process mirrors.

    Args:
        root: the folder.
        model: the model's name; ``None`` for all models.

    Raises:
        BucketError: the store cannot be read, or a version not be fetched.
        OSError: the folder cannot be written.
    """
    url = origin_url(root)
    if url is None or root != mirror_folder_of(url, PUBLISHING):
        return
    mirror = Mirror(Bucket(url), MirrorFolder(root, url), only=model, retention_s=0)
    outcome = mirror.synchronise()
    if outcome.store_failed:
        raise BucketError(" ".join(outcome.problems))
    if outcome.folder_error is not None:
        raise outcome.folder_error
