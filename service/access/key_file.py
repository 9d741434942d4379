"""The file of API keys: their digests, names, models and rates.

A key is 256 random bits, so its plain SHA-256 is as safe as a slow hash: nobody can try that many.
Slow hashes (argon2, bcrypt) protect passwords, which people choose, and take milliseconds each.
Messages about a file show none of its values, as somebody may have put a key itself there.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from service.monitoring.harmless_text import KEY_PREFIX
from service.repository.atomic_files import replacing
from service.repository.errors import RepositoryError
from service.repository.file_lock import locked
from service.repository.json_files import read_object

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEYS = {"name", "sha256", "models", "may", "requests_per_s", "burst", "created"}
ALL_MODELS = "*"
# Requests a second, or at once. One in thirty years is as good as none, and less cannot be counted.
_LEAST, _MOST = 1e-9, 1e9
# What others than the owner and the group may do, and what the group may not.
_TOO_OPEN = stat.S_IRWXO | stat.S_IWGRP


class Right(StrEnum):
    """What a key may do with the models that it may ask.

    Attributes:
        PREDICT: ask for predictions, and correct their answers.
        AUDIT: read rows that others have sent, and say what is true of them.
    """

    PREDICT = "predict"
    AUDIT = "audit"


# The rights of a key whose entry has no ``may``, such as those written before rights existed.
PREDICTING = frozenset({Right.PREDICT})
ANY_RIGHT = frozenset(Right)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, as the file has it.

    Attributes:
        name: who it was given to, for logs and metrics.
        digest: the SHA-256 of the key; 32 bytes.
        models: the models that it may ask; ``None`` for all.
        requests_per_s: how many requests a second it may send in the long run; ``None`` for any.
        burst: how many it may send at once; ``None`` for those of one second.
        created: the day on which it was made, as ``2026-11-28``; empty where the file has none.
        may: what it may do.
    """

    name: str
    digest: bytes
    models: frozenset[str] | None = None
    requests_per_s: float | None = None
    burst: int | None = None
    created: str = ""
    may: frozenset[Right] = PREDICTING

    def may_ask(self, model: str | None) -> bool:
        """Whether it may ask a model; ``None`` stands for what concerns all models."""
        return self.models is None or model in self.models

    def to_json(self) -> dict[str, Any]:
        """Return the key as its object in the file."""
        value: dict[str, Any] = {
            "name": self.name,
            "sha256": self.digest.hex(),
            "models": ALL_MODELS if self.models is None else sorted(self.models),
        }
        if self.may != PREDICTING:
            value["may"] = sorted(self.may)
        if self.requests_per_s is not None:
            value["requests_per_s"] = self.requests_per_s
        if self.burst is not None:
            value["burst"] = self.burst
        if self.created:
            value["created"] = self.created
        return value


def digest_of(key: bytes) -> bytes:
    """Return a key's SHA-256."""
    return hashlib.sha256(key).digest()


def new_key(
    name: str,
    models: frozenset[str] | None = None,
    requests_per_s: float | None = None,
    burst: int | None = None,
    may: frozenset[Right] = PREDICTING,
) -> tuple[str, ApiKey]:
    """Return a new random key, and what the file has of it; the arguments are the file's."""
    key = KEY_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    created = datetime.now(UTC).date().isoformat()
    digest = digest_of(key.encode())
    return key, ApiKey(name, digest, models, requests_per_s, burst, created, may)


def read_keys(path: Path) -> dict[bytes, ApiKey]:
    """Return the keys in a file by their digests.

    Raises:
        RepositoryError: the file cannot be read, others than its owner and group can read it, or
            it does not hold keys; the message names the place.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise RepositoryError(f"{path.name} cannot be read: {error.strerror}.") from error
    if mode & _TOO_OPEN:
        raise RepositoryError(
            f"{path.name} is too open (mode {stat.S_IMODE(mode):04o}): only its owner may write it "
            "and only owner and group may read it; chmod 600 closes it."
        )
    return keys_from_json(read_object(path), path.name)


def keys_from_json(value: Mapping[str, Any], file: str) -> dict[bytes, ApiKey]:
    """Return the keys in the JSON object of a file by their digests.

    Args:
        value: the object.
        file: the file's name, for messages.

    Raises:
        RepositoryError: it does not hold keys; the message names the place.
    """
    items = value.get("keys")
    if not isinstance(items, list) or value.keys() != {"keys"}:
        raise RepositoryError(f'{file} must hold {{"keys": [...]}}.')
    found: dict[bytes, ApiKey] = {}
    names: set[str] = set()
    for number, item in enumerate(items):
        key = _key(item, f"{file}: keys[{number}]")
        if key.name in names:
            raise RepositoryError(f"{file}: keys[{number}]: the name {key.name!r} occurs twice.")
        if key.digest in found:
            raise RepositoryError(
                f"{file}: keys[{number}]: it is the key {found[key.digest].name!r}."
            )
        names.add(key.name)
        found[key.digest] = key
    return found


def change_keys(path: Path, change: Callable[[dict[str, ApiKey]], None]) -> None:
    """Change a file of keys as one step; the service follows by itself.

    Args:
        path: the file; it need not be there yet. A new one can be read by its owner alone.
        change: changes the keys, which it gets by their names.

    Raises:
        RepositoryError: as ``read_keys``, or another process holds the file for too long.
        OSError: the file cannot be written.
    """
    # Through a link, so that the link stays one.
    path = path.resolve()
    with locked(path.with_name(f".{path.name}.lock"), path.name):
        before = path.stat() if path.exists() else None
        keys = {key.name: key for key in read_keys(path).values()} if before else {}
        change(keys)
        data = file_of(keys.values())
        keys_from_json(json.loads(data), path.name)
        write_closed(path, data, like=before)


def file_of(keys: Iterable[ApiKey]) -> bytes:
    """Return the bytes of a file of keys."""
    return json.dumps({"keys": [key.to_json() for key in keys]}, indent=1).encode() + b"\n"


def write_closed(path: Path, data: bytes, *, like: os.stat_result | None = None) -> None:
    """Write a file that only its owner can read, at no moment anybody else.

    Args:
        path: the file.
        data: its bytes.
        like: whose owner, group and mode it gets, as far as this user may give them.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path, durable=True) as draft:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if like is not None:
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))


def name_problem(name: str) -> str:
    """Return in a sentence why a key cannot have a name; empty if it can."""
    if _NAME.fullmatch(name):
        return ""
    return f"A key's name has letters, digits, '.', '_' and '-', at most 64, not {name[:70]!r}."


def _key(item: Any, place: str) -> ApiKey:
    if not isinstance(item, dict):
        raise RepositoryError(f"{place} must be an object.")
    if item.keys() - _KEYS:
        raise RepositoryError(f"{place}: expected {', '.join(sorted(_KEYS))}, and no other field.")
    name, digest = item.get("name"), item.get("sha256")
    if not isinstance(name, str) or name_problem(name):
        raise RepositoryError(
            f"{place}.name must have letters, digits, '.', '_' and '-', at most 64."
        )
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        # It may be the key itself, which is not to appear in a log.
        raise RepositoryError(
            f"{place}.sha256 must be the key's SHA-256, as 64 hexadecimal digits."
        )
    models = item.get("models")
    if models != ALL_MODELS and not (
        isinstance(models, list)
        and models
        and all(isinstance(each, str) and each != ALL_MODELS for each in models)
    ):
        raise RepositoryError(f'{place}.models must be "*" or a list of models\' names.')
    rate, burst = item.get("requests_per_s"), item.get("burst")
    if rate is not None and not (_is_number(rate) and _LEAST <= rate <= _MOST):
        raise RepositoryError(
            f"{place}.requests_per_s must be a number above 0, from {_LEAST:g} to {_MOST:g}."
        )
    if burst is not None and not (
        isinstance(burst, int) and _is_number(burst) and 0 < burst <= _MOST
    ):
        raise RepositoryError(f"{place}.burst must be a whole number above 0.")
    if burst is not None and rate is None:
        raise RepositoryError(f"{place}.burst needs requests_per_s.")
    created = item.get("created", "")
    if not isinstance(created, str):
        raise RepositoryError(f"{place}.created must be a day.")
    may = item.get("may", [*PREDICTING])
    if not isinstance(may, list) or not may or not all(each in [*Right] for each in may):
        raise RepositoryError(f"{place}.may must be a list of {', '.join(Right)}.")
    allowed = None if models == ALL_MODELS else frozenset(models)
    rights = frozenset(map(Right, may))
    return ApiKey(name, bytes.fromhex(digest), allowed, rate, burst, created, rights)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
