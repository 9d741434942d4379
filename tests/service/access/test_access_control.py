"""The steps by which a key is checked, and what is counted of them."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from service.access import access_control
from service.access.access_control import access_of
from service.access.key_file import new_key
from service.errors import UnauthenticatedError
from service.monitoring import key_metrics
from service.monitoring.prometheus_metrics import Metrics
from service.settings.settings import Settings
from tests.service.access.keys import add_key


def bearer(key: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {key}"}


def test_the_steps_are_the_same_for_an_unknown_key_and_a_wrong_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is hashed, looked up and compared once, and asked for the model once."""
    steps: list[Any] = []
    real = hmac.compare_digest
    digest = access_control.digest_of

    def compare(one: bytes, other: bytes) -> bool:
        steps.append(("compare", len(one), len(other)))
        return real(one, other)

    def hashed(key: bytes) -> bytes:
        steps.append(("hash", len(key)))
        return digest(key)

    monkeypatch.setattr(access_control.hmac, "compare_digest", compare)
    monkeypatch.setattr(access_control, "digest_of", hashed)
    path = tmp_path / "keys.json"
    key = add_key(path, "one", "a")
    access = access_of(Settings(keys_file=path, workers=1), Metrics())
    seen = []
    for sent, model in ((key, "a"), (key, "b"), ("x" * len(key), "a"), ("x" * len(key), "b")):
        steps.clear()
        if (sent, model) == (key, "a"):
            access.admit(bearer(sent), model)
        else:
            with pytest.raises(UnauthenticatedError):
                access.admit(bearer(sent), model)
        seen.append(tuple(steps))
    assert len(set(seen)) == 1
    assert seen[0] == (("hash", len(key)), ("compare", 32, 32))


def test_ten_thousand_keys_take_the_same_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [new_key(f"key-{number}") for number in range(10_000)]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [entry.to_json() for _, entry in made]}))
    path.chmod(0o600)
    access = access_of(Settings(keys_file=path, workers=1), Metrics())
    compared = 0
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        nonlocal compared
        compared += 1
        return real(one, other)

    monkeypatch.setattr(access_control.hmac, "compare_digest", compare)
    for key, _ in (made[0], made[-1]):
        access.admit(bearer(key), "any")
    assert compared == 2


def test_many_names_share_a_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_metrics, "_MOST_NAMES", 3)
    path = tmp_path / "keys.json"
    keys = [add_key(path, f"key-{number}") for number in range(6)]
    metrics = Metrics()
    access = access_of(Settings(keys_file=path, workers=1), metrics)
    for key in [*keys, *keys]:
        access.admit(bearer(key), "any")
    lines = [
        line
        for line in metrics.exposition().decode().splitlines()
        if line.startswith("understudy_key_requests_total")
    ]
    assert len(lines) == 4
    assert 'understudy_key_requests_total{key="(others)",result="ok"} 6.0' in lines


def test_a_very_long_key_is_not_hashed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.json"
    add_key(path, "one")
    sizes: list[int] = []
    digest = access_control.digest_of
    monkeypatch.setattr(
        access_control, "digest_of", lambda key: sizes.append(len(key)) or digest(key)
    )
    access = access_of(Settings(keys_file=path, workers=1), Metrics())
    with pytest.raises(UnauthenticatedError):
        access.admit(bearer("x" * 100_000), "a")
    assert sizes == [256]
