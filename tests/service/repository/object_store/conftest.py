"""A store that is empty for each test, in one server for all."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.repository.object_store.bucket import Bucket
from tests.object_stores import BUCKET, KEYS, Proxy, proxy_of, s3_of_moto

_prefixes = itertools.count()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of moto's S3."""
    with s3_of_moto() as url:
        yield url


@pytest.fixture
def proxy(s3: str) -> Iterator[Proxy]:
    """A proxy of it that spoils what it is told to."""
    with proxy_of(s3) as started:
        yield started


@pytest.fixture
def url(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty store, which this process reaches."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"s3://{BUCKET}/prefix-{next(_prefixes)}"


@pytest.fixture
def bucket(url: str) -> Bucket:
    """The store, with nothing between."""
    return Bucket(url)


@pytest.fixture
def spoiled(url: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The same store behind the proxy."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return Bucket(url)
