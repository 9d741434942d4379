"""Changes one object of a store atomically, also while other processes change it."""

from collections.abc import Callable

from service.repository.object_store.bucket import Bucket, BucketError

# Others change an object between reading and writing it at most now and then.
_MOST_TRIES = 20


def change_object(
    bucket: Bucket, name: str, change: Callable[[bytes | None], bytes | None], *, most_bytes: int
) -> None:
    """Change a small object as one step: what another writes meanwhile is never lost.

    Args:
        bucket: the store.
        name: the object.
        change: returns what it must hold instead of what it holds (``None``: it is not there), or
            ``None`` to leave it; is called again where another was faster, unless that one has
            written the very same.
        most_bytes: the most bytes that the object may have.

    Raises:
        BucketError: the store did not do it, and nothing was changed; or others change the object
            all the time. What ``change`` raises leaves the object as it is.
    """
    data: bytes | None = None
    for _ in range(_MOST_TRIES):
        found = bucket.read(name, most_bytes=most_bytes)
        # A request whose answer was lost is made again, and then finds what it has written.
        if found is not None and found[0] == data:
            return
        data = change(None if found is None else found[0])
        if data is None:
            return
        if found is None:
            if bucket.create(name, data):
                return
        elif (e_tag := found[1].e_tag) is None:
            raise BucketError(f"{bucket.url} has no entity tags: {name} cannot be changed there.")
        elif bucket.replace(name, data, e_tag):
            return
    raise BucketError(f"{bucket.url}/{name} is changed by others all the time; nothing was done.")
