"""Remembers from which truths a refused version learned: they would make the same one again."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional, write_object
from training.fitting.config import Settings

# In the model's folder, beside the lock.
_FILE = ".retrain.json"
# What the card of a version that has learned from feedback says of it.
_GIVEN = ("data_fingerprint", "largest_share")


def note_refusal(folder: Path, settings: Settings, live: int | None, given: Any) -> None:
    """Remember what the refused version was given.

    Args:
        folder: the model's.
        settings: with which it was trained.
        live: the version that it was compared with.
        given: what its card says of its feedback.
    """
    # Who cannot write it down trains again.
    with contextlib.suppress(OSError):
        about = _about(settings, live, {name: given[name] for name in _GIVEN})
        write_object(folder / _FILE, {**about, "until": given["until"]})


def refused_until(
    folder: Path, settings: Settings, live: int | None, fingerprint: str, share: float
) -> float:
    """Return when the last truth came that the last refused version was given.

    Args:
        folder: the model's.
        settings: with which the next version is to be trained.
        live: the version that it is to be compared with.
        fingerprint: of its data, without feedback.
        share: the largest share of feedback.

    Returns:
        seconds since the epoch; 0 if none was refused that was made in the same way.
    """
    about = _about(settings, live, dict(zip(_GIVEN, (fingerprint, share), strict=True)))
    try:
        known = read_optional(folder / _FILE) or {}
        until = float(known.pop("until", 0.0))
    except (RepositoryError, TypeError, ValueError):
        return 0.0
    return until if known == about else 0.0


def _about(settings: Settings, live: int | None, given: Mapping[str, Any]) -> dict[str, Any]:
    # As JSON brings them back.
    return {"settings": json.loads(json.dumps(settings.to_json())), "live": live, **given}
