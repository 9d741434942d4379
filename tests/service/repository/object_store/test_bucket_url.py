"""Which places are object stores, also where settings have made a path of a URL."""

from pathlib import Path

import pytest

from service.repository.object_store.bucket import bucket_url


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/models/", "s3://bucket/models"),
        ("gs://bucket", "gs://bucket"),
        ("https://host/path", "https://host/path"),
        ("file:///srv/models/", "file:///srv/models"),
        ("saved_models", None),
        ("/srv/s3:", None),
    ],
)
def test_a_url_stays_one_as_a_path(place: str, url: str | None) -> None:
    assert bucket_url(place) == url
    assert bucket_url(Path(place)) == url
