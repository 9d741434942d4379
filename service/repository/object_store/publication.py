"""Publishes versions into an object store, and removes them there.

The number is taken first, by an object that only one publisher can create; then come the files, and
the manifest last. So a version is there whole or not at all, and two publishers on two machines
both succeed, with different numbers.
"""

from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.folder_names import LAST_VERSION
from service.repository.manifest import MANIFEST, listed_files
from service.repository.object_store.bucket import Bucket, BucketError
from service.repository.object_store.listing import RemoteModel, read_listing
from service.repository.publication_marks import MARKS, mark_of
from service.repository.version_numbers import IN_MODEL

# A publisher that has not finished a version after so long, in seconds, has died.
_GIVEN_UP_S = 86_400.0


def publish_into(bucket: Bucket, model: str, folder: Path, *, above: int) -> int:
    """Upload a version, and return the number that it has got.

    Args:
        bucket: the store.
        model: the model's name.
        folder: the version, with its manifest.
        above: a number that is too low.

    Raises:
        BucketError: the store failed; the number is lost, and nobody takes what was uploaded for a
            version.
        RepositoryError: the numbers are used up.
        OSError: a file cannot be read.
    """
    remote = _model_in(bucket, model)
    number = max(above, *map(int, remote.versions), *remote.taken, 0)
    while True:
        number += 1
        if number > LAST_VERSION:
            raise RepositoryError(
                f"{model} has a version {LAST_VERSION}: there is no number above."
            )
        if bucket.create(f"{model}/{IN_MODEL}/{number}"):
            break
    for name in sorted(listed_files(folder)):
        bucket.write(f"{model}/{number}/{name}", folder / name)
    bucket.write(f"{MARKS}/{mark_of(folder)}", b"")
    bucket.write(f"{model}/{number}/{MANIFEST}", (folder / MANIFEST).read_bytes())
    _tidy(bucket, model)
    return number


def versions_of(bucket: Bucket, model: str) -> set[int]:
    """Return the numbers of a model's versions in a store.

    Raises:
        BucketError: the store failed.
    """
    return {int(name) for name in _model_in(bucket, model).versions}


def remove_from(bucket: Bucket, model: str, versions: set[int]) -> None:
    """Remove versions of a model from a store, each so that nobody takes half of one.

    Raises:
        BucketError: the store failed.
    """
    for name, found in _model_in(bucket, model).versions.items():
        if int(name) not in versions:
            continue
        # Without it the rest is nobody's: neither whole nor, while its number is taken, foreign.
        bucket.create(f"{model}/{IN_MODEL}/{int(name)}")
        if found.has_manifest:
            bucket.remove([f"{model}/{name}/{MANIFEST}"])
        bucket.remove([f"{model}/{name}/{file}" for file in found.files if file != MANIFEST])


def _tidy(bucket: Bucket, model: str) -> None:
    """Remove what publishers that died have left, and marks of numbers that are not needed.

    Of the marks stay the highest, which stands for all below it, and those of versions that are
    there. What cannot be removed costs little.
    """
    try:
        objects = bucket.objects(model)
        remote = read_listing(objects).models[model]
        now = max(found.modified for found in objects.values())
        for name, found in remote.versions.items():
            newest = max(file.modified for file in found.files.values())
            is_ours = int(name) in remote.taken and not found.has_manifest
            if is_ours and now - newest > _GIVEN_UP_S:
                bucket.remove([f"{model}/{name}/{file}" for file in found.files])
        there = {int(name) for name in remote.versions} | {max(remote.taken, default=0)}
        old = [
            f"{model}/{IN_MODEL}/{number}"
            for number in remote.taken - there
            if now - objects[f"{model}/{IN_MODEL}/{number}"].modified > _GIVEN_UP_S
        ]
        bucket.remove(old)
    except (BucketError, KeyError):
        return


def _model_in(bucket: Bucket, model: str) -> RemoteModel:
    return read_listing(bucket.objects(model)).models.get(model, RemoteModel())
