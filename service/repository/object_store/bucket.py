"""An object store, as far as a store of models needs one; over obstore, which knows them all."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from service.repository.errors import RepositoryError

_SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss", "https", "http", "file")
# A path loses one of the slashes.
_URL = re.compile(rf"({'|'.join(_SCHEMES)}):/{{1,2}}(.+)")
# What S3 and Google Cloud Storage list in one request.
_PAGE = 1000
_CHUNK = 2**20
# A look that fails is made again with back-off: more than a few tries at once would not help.
_RETRIES = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
# "timeout" bounds a whole answer, which may be gigabytes: it is the silence that is bounded.
_CLIENT = {"connect_timeout": "5s", "read_timeout": "20s", "timeout": "1h", "allow_http": True}
_LONGEST_REASON = 300
_PROBE = ".published/.conditional"
_ONLY_MIRRORED = (
    "{} cannot write an object only where it is as it was read (a conditional put), without which "
    "two writers would undo one another: it can only be mirrored. Where it is a folder, name the "
    "folder itself."
)


class BucketError(RepositoryError):
    """An object store did not do what it was asked; the message says which, and why."""


class ObjectChangedError(BucketError):
    """An object is not the one that was listed or read before."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it.

    Attributes:
        size: in bytes.
        mark: changes with the content: the entity tag; where there is none, time and size.
        e_tag: the entity tag, where the store has them.
        modified: when it was written, by the store's clock, in seconds since 1970.
    """

    size: int
    mark: str
    e_tag: str | None = None
    modified: float = 0.0


def bucket_url(place: str | Path) -> str | None:
    """Return the URL of an object store; ``None`` where the place is a folder.

    Args:
        place: a URL, also as a path that has lost a slash of it.
    """
    match = _URL.fullmatch(str(place))
    if match is None:
        return None
    scheme, rest = match[1], match[2].rstrip("/")
    # Of a file the third slash is the root.
    return f"file:///{rest.lstrip('/')}" if scheme == "file" else f"{scheme}://{rest}"


def url_problem(url: str) -> str:
    """Return in a sentence why a URL cannot be a store's; empty if it can.

    URLs are named in logs and in the names of folders, and so must hold nothing secret.
    """
    parts = urlsplit(url)
    # In those of Azure the container stands before the "@".
    has_login = parts.password is not None or (_is_http(url) and parts.username is not None)
    if not (has_login or parts.query):
        return ""
    return (
        f"{parts.scheme}://{parts.hostname}/...: Expected the URL of a store without a password "
        "and without a query; credentials come from the environment."
    )


class Bucket:
    """The objects under one URL; names are relative to it.

    Attributes:
        url: where it is.
        requests: how many requests were made, by kind; what is tried again at once counts once.
        received: bytes of objects that were fetched.
        sent: bytes of objects that were written.
        failures: how many requests failed, by kind.
    """

    def __init__(self, url: str, store: Any = None) -> None:
        """The objects under ``url``; nothing is asked yet.

        Args:
            url: such as ``s3://bucket/prefix``. Credentials, region and endpoint come from the
                environment, as obstore documents it for each kind of store.
            store: obstore's own object for it, where that is there already.

        Raises:
            RepositoryError: obstore is not installed, or knows no such store; or the URL has a
                password or a query.
        """
        self.url = url
        self.requests: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.received = self.sent = 0
        self._heeds_conditions = False
        if problem := url_problem(url):
            raise BucketError(problem)
        self._obstore = _obstore(url)
        # Of an HTTP server obstore lists names from its root, whatever the URL.
        self._prefix = urlsplit(url).path.strip("/") if _is_http(url) else ""
        place = url.removesuffix(f"/{self._prefix}") if self._prefix else url
        if store is None:
            try:
                store = self._obstore.store.from_url(
                    place, retry_config=_RETRIES, client_options=_CLIENT
                )
            except (self._obstore.exceptions.BaseError, OSError, ValueError) as error:
                raise BucketError(f"{url} is no object store: {_reason(error)}.") from error
        self._store = store

    def objects(self, folder: str = "") -> dict[str, StoredObject]:
        """List all objects, or those in a folder, by name. A thousand take one request.

        Raises:
            BucketError: they cannot be listed; what is there is not known then.
        """
        found = {}
        with self._asking("list"):
            below = self._full(folder).rstrip("/")
            for page in self._obstore.list(self._store, below or None, chunk_size=_PAGE):
                for entry in page:
                    name = entry["path"].removeprefix(self._full(""))
                    found[name] = _stored(entry)
        # The first page is counted already.
        self.requests["list"] += max(0, math.ceil(len(found) / _PAGE) - 1)
        return found

    def stat(self, name: str) -> StoredObject | None:
        """Return an object's size and entity tag; ``None`` if it does not exist.

        Raises:
            BucketError: the store does not say.
        """
        try:
            with self._asking("head"):
                return _stored(self._obstore.head(self._store, self._full(name)))
        except ObjectChangedError:
            return None

    def read(self, name: str, *, most_bytes: int) -> tuple[bytes, StoredObject] | None:
        """Return a small object's content, size and entity tag; ``None`` if it does not exist.

        Raises:
            BucketError: it cannot be read, or is larger than ``most_bytes``.
        """
        try:
            with self._asking("get"):
                answer = self._obstore.get(self._store, self._full(name))
                stored = _stored(answer.meta)
                data = bytes(answer.bytes()) if stored.size <= most_bytes else b""
        except ObjectChangedError:
            return None
        if stored.size > most_bytes:
            raise BucketError(f"{self.url}/{name} is larger than {most_bytes} bytes.")
        self.received += len(data)
        return data, stored

    def fetch(self, name: str, path: Path, expected: StoredObject, *, resume: bool) -> None:
        """Write an object into a file.

        Args:
            name: the object.
            path: the file.
            expected: the object as it was listed.
            resume: whether what is in the file already is the object's beginning.

        Raises:
            ObjectChangedError: the object is another one by now, or gone.
            BucketError: it cannot be fetched; what came so far is in the file.
            OSError: the file cannot be written.
        """
        with path.open("ab" if resume else "wb") as file:
            begin = file.tell()
            if begin == expected.size and begin:
                return
            if begin > expected.size:
                file.truncate(begin := 0)
            answer = None
            if begin:
                # Some servers know no ranges; what has come is given up only for what comes.
                with suppress(BucketError):
                    answer = self._get(name, expected, {"range": {"offset": begin}})
            if answer is None:
                answer = self._get(name, expected, {})
                file.truncate(0)
            with self._translated("get"):
                chunks = iter(answer.stream(min_chunk_size=_CHUNK))
            while True:
                with self._translated("get"):
                    chunk = next(chunks, None)
                if chunk is None:
                    break
                self.received += file.write(chunk)
            if file.tell() != expected.size:
                raise ObjectChangedError(
                    f"{self.url}/{name} has {file.tell()} bytes, not the {expected.size} of the "
                    "listing."
                )

    def create(self, name: str, data: bytes = b"") -> bool:
        """Write an object that must not be there yet; return whether it was not.

        Raises:
            BucketError: it cannot be written, or the store cannot do that.
        """
        return self._put_if(name, data, "create")

    def replace(self, name: str, data: bytes, e_tag: str) -> bool:
        """Write an object in place of one with an entity tag; return whether it was still there.

        Raises:
            BucketError: it cannot be written, or the store cannot do that.
        """
        return self._put_if(name, data, {"e_tag": e_tag})

    def write(self, name: str, content: bytes | Path) -> None:
        """Write an object, whatever is there.

        Raises:
            BucketError: it cannot be written.
        """
        with self._asking("put"):
            self._obstore.put(self._store, self._full(name), content)
        self.sent += len(content) if isinstance(content, bytes) else content.stat().st_size

    def remove(self, names: list[str]) -> None:
        """Remove objects; one that is not there is none.

        Raises:
            BucketError: they cannot be removed, or not all of them.
        """
        if names:
            with self._asking("delete"):
                self._obstore.delete(self._store, [self._full(name) for name in names])

    def _full(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _get(self, name: str, expected: StoredObject, options: dict[str, Any]) -> Any:
        if expected.e_tag:
            options["if_match"] = expected.e_tag
        with self._asking("get"):
            return self._obstore.get(self._store, self._full(name), options=options)

    def check_conditions(self) -> None:
        """Check that the store supports conditional puts: some accept every put.

        Raises:
            BucketError: it does not support them.
        """
        if not self._heeds_conditions:
            # If the probe exists already, the first put answers the question.
            is_new = self._put(_PROBE, b"", "create") and self._put(_PROBE, b"", "create")
            if is_new or self._put(_PROBE, b"", {"e_tag": '"none"'}):
                raise BucketError(_ONLY_MIRRORED.format(self.url))
            self._heeds_conditions = True

    def _put_if(self, name: str, data: bytes, mode: str | Mapping[str, str]) -> bool:
        self.check_conditions()
        return self._put(name, data, mode)

    def _put(self, name: str, data: bytes, mode: str | Mapping[str, str]) -> bool:
        try:
            with self._asking("put"):
                self._obstore.put(self._store, self._full(name), data, mode=mode)
        except ObjectChangedError:
            return False
        self.sent += len(data)
        return True

    @contextmanager
    def _asking(self, kind: str) -> Iterator[None]:
        """Count a request, and say in our words how it failed."""
        self.requests[kind] += 1
        with self._translated(kind):
            yield

    @contextmanager
    def _translated(self, kind: str) -> Iterator[None]:
        errors = self._obstore.exceptions
        try:
            yield
        except (errors.PreconditionError, errors.AlreadyExistsError, FileNotFoundError) as error:
            raise ObjectChangedError(f"{self.url}: {_reason(error)}.") from error
        except (errors.NotSupportedError, NotImplementedError) as error:
            raise BucketError(_ONLY_MIRRORED.format(self.url)) from error
        except (errors.BaseError, OSError) as error:
            self.failures[kind] += 1
            raise BucketError(f"{self.url}: {_reason(error)}.") from error


def missing_package(url: str) -> str:
    """Return the sentence for those who name an object store where obstore is not installed."""
    return (
        f"{url} needs the package 'obstore', which is not installed here: "
        "pip install 'understudy[object-store]'."
    )


def _is_http(url: str) -> bool:
    """Whether it is a server of WebDAV, and not Azure by its address."""
    host = urlsplit(url).hostname or ""
    return url.startswith("http") and not host.endswith((".windows.net", ".microsoft.com"))


def _stored(entry: Mapping[str, Any]) -> StoredObject:
    modified = entry["last_modified"].timestamp()
    # In listings some stores leave out the quotes; a weak tag is no condition.
    e_tag = (entry["e_tag"] or "").strip('"')
    strong = f'"{e_tag}"' if e_tag and not e_tag.startswith("W/") else None
    return StoredObject(entry["size"], e_tag or f"{modified}-{entry['size']}", strong, modified)


def _obstore(url: str) -> ModuleType:
    try:
        import obstore
        import obstore.exceptions
        import obstore.store
    except ImportError as error:
        raise RepositoryError(missing_package(url)) from error
    return obstore


def _reason(error: Exception) -> str:
    """Return what obstore says in one line, without what it adds for debugging."""
    text = " ".join(str(error).partition("\nDebug source")[0].split())
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 3]}..."
