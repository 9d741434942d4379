"""Downloads a file: with a progress bar, a checksum, and resuming."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import requests

from training.console.progress import transfer
from training.errors import TrainingError

_CHUNK = 1 << 16
# Seconds to connect, and seconds without a byte, after which the download fails.
_TIMEOUT_S = (10.0, 30.0)


class DownloadError(TrainingError):
    """A file could not be fetched; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file on the network and what it must be.

    Attributes:
        name: the file's name on disk.
        url: where it is.
        algorithm: of ``digest``, as ``hashlib`` calls it.
        digest: of the file's content, in hexadecimal.
    """

    name: str
    url: str
    algorithm: str
    digest: str


def download(remote: Remote, folder: Path) -> Path:
    """Fetch ``remote`` into ``folder`` and return its path.

    The bytes go into ``<name>.part``, which a later call continues by an HTTP range request; the
    file gets its name when its content is right.

    Raises:
        DownloadError: no network, an answer that is not a file, or the wrong content.
        OSError: the folder cannot be written.
    """
    path = folder / remote.name
    part = folder / f"{remote.name}.part"
    try:
        _fetch(remote, part)
    except requests.RequestException as error:
        raise DownloadError(f"{remote.url} does not answer as expected: {_why(error)}.") from error
    digest = hashlib.new(remote.algorithm, usedforsecurity=False)
    with part.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != remote.digest:
        # The part is wrong, so the next call starts from nothing.
        part.unlink()
        raise DownloadError(
            f"{remote.url} does not have the expected content: its {remote.algorithm} is "
            f"{digest.hexdigest()}, not {remote.digest}."
        )
    part.replace(path)
    return path


def _fetch(remote: Remote, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    # "identity": a compressed transfer would make ranges and sizes those of other bytes.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(remote.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        if have and response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # nothing is left to fetch: the check of the content decides
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        if not resumed:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with part.open("ab" if resumed else "wb") as file, transfer(remote.name, total) as bar:
            bar(have)
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar(len(chunk))


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "it took too long"
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    return "there is no connection"
