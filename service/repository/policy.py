"""Which versions of a model should serve, and by which labels requests may ask for them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.jsonfile import read_optional

POLICY = "policy.json"

# TensorFlow Serving's pattern of a label in a request's path.
_LABEL = re.compile(r"[a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Policy:
    """A version policy, TensorFlow Serving's ``latest`` or ``specific``.

    Attributes:
        latest: how many of the highest versions serve, when ``versions`` is empty.
        versions: the versions that serve, whatever else is there.
        labels: names for versions; a label of a version that does not serve leads nowhere.
    """

    latest: int = 1
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)

    def select(self, available: Iterable[int]) -> list[int]:
        """Return the versions of ``available`` that should serve, lowest first."""
        ordered = sorted(available)
        if self.versions:
            return [version for version in ordered if version in self.versions]
        return ordered[-self.latest :]


def read_policy(model_directory: Path) -> Policy:
    """Read a model's policy; without a file it is the latest version alone.

    Raises:
        RepositoryError: the file is no policy; the message names the place.
    """
    value = read_optional(model_directory / POLICY)
    if value is None:
        return Policy()
    unknown = value.keys() - {"serve", "labels"}
    if unknown:
        raise RepositoryError(f"{POLICY}: unknown key {min(unknown)!r}.")
    labels = value.get("labels", {})
    if not isinstance(labels, dict) or not all(
        _LABEL.fullmatch(label) and _is_whole(version) for label, version in labels.items()
    ):
        raise RepositoryError(
            f"{POLICY}: labels must map names of letters, digits and _ to versions, not {labels!r}."
        )
    match value.get("serve", {"latest": 1}):
        case {"latest": count, **rest} if not rest and _is_whole(count) and count > 0:
            return Policy(latest=count, labels=labels)
        case {"versions": [*versions], **rest} if (
            not rest and versions and all(map(_is_whole, versions))
        ):
            return Policy(versions=tuple(versions), labels=labels)
        case serve:
            raise RepositoryError(
                f'{POLICY}: serve must be {{"latest": N}} or {{"versions": [N, ...]}}, '
                f"not {serve!r}."
            )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
