"""Which versions of a model should serve, and by which labels requests may ask for them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.jsonfile import read_optional, shown, write_object

POLICY = "policy.json"
# It is read at every look at a model.
_MOST_BYTES = 2**20

# TensorFlow Serving's pattern of a label in a request's path.
_LABEL = re.compile(r"[a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Policy:
    """A version policy, TensorFlow Serving's ``latest`` or ``specific``.

    Attributes:
        latest: how many of the highest versions serve, when ``versions`` is empty.
        versions: the versions that serve, whatever else is there.
        labels: names for versions; a label of a version that does not serve leads nowhere.
        keep: how many versions stay on disk when a new one is published; ``None`` keeps all.
        unloaded: whether no version serves, until this is taken back; the rest says what will.
        rows_independent: whether each row's answer depends on that row alone, for all signatures
            or by their names; ``None`` leaves it to the version's card and graph.
    """

    latest: int = 1
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    keep: int | None = None
    unloaded: bool = False
    rows_independent: bool | Mapping[str, bool] | None = None

    @property
    def pinned(self) -> bool:
        """Whether versions are named, so that a new one does not take over by itself."""
        return bool(self.versions)

    def in_use(self, available: Iterable[int]) -> set[int]:
        """Return the versions that must not be removed: those that serve or bear a label.

        Of a model that is unloaded, those that will serve when it is loaded again.
        """
        return {*self._chosen(available), *self.versions, *self.labels.values()}

    def select(self, available: Iterable[int]) -> list[int]:
        """Return the versions of ``available`` that should serve, lowest first."""
        return [] if self.unloaded else self._chosen(available)

    def _chosen(self, available: Iterable[int]) -> list[int]:
        ordered = sorted(available)
        if self.versions:
            return [version for version in ordered if version in self.versions]
        return ordered[-self.latest :]

    def to_json(self) -> dict[str, Any]:
        """Return the policy as the JSON object of its file."""
        serve = {"versions": list(self.versions)} if self.versions else {"latest": self.latest}
        keep = {} if self.keep is None else {"keep": self.keep}
        unloaded = {"unloaded": True} if self.unloaded else {}
        declared = self.rows_independent
        rows: dict[str, Any] = {}
        if declared is not None:
            rows["rows_independent"] = declared if isinstance(declared, bool) else dict(declared)
        return {"serve": serve, "labels": dict(self.labels), **keep, **unloaded, **rows}


def policy_from_json(value: Any) -> Policy:
    """Read a policy from the JSON of its file.

    Raises:
        RepositoryError: the value is no policy; the message names the place.
    """
    if not isinstance(value, dict):
        raise RepositoryError(f"{POLICY} must hold a JSON object, not {shown(value)}.")
    unknown = value.keys() - {"serve", "labels", "keep", "unloaded", "rows_independent"}
    if unknown:
        raise RepositoryError(f"{POLICY}: unknown key {min(unknown)!r}.")
    labels = value.get("labels", {})
    if not isinstance(labels, dict) or not all(
        _LABEL.fullmatch(label) and _is_whole(version) for label, version in labels.items()
    ):
        raise RepositoryError(
            f"{POLICY}: labels must map names of letters, digits and _ to versions, "
            f"not {shown(labels)}."
        )
    keep = value.get("keep")
    if keep is not None and not (_is_whole(keep) and keep > 0):
        raise RepositoryError(f"{POLICY}: keep must be a whole number above 0, not {shown(keep)}.")
    unloaded = value.get("unloaded", False)
    if not isinstance(unloaded, bool):
        raise RepositoryError(f"{POLICY}: unloaded must be true or false, not {shown(unloaded)}.")
    rows = value.get("rows_independent")
    if not _is_declaration(rows):
        raise RepositoryError(
            f"{POLICY}: rows_independent must be true, false or an object of signatures with true "
            f"or false each, not {shown(rows)}."
        )
    others: dict[str, Any] = {
        "labels": labels,
        "keep": keep,
        "unloaded": unloaded,
        "rows_independent": rows,
    }
    match value.get("serve", {"latest": 1}):
        case {"latest": count, **rest} if not rest and _is_whole(count) and count > 0:
            return Policy(latest=count, **others)
        case {"versions": [*versions], **rest} if (
            not rest and versions and all(map(_is_whole, versions))
        ):
            return Policy(versions=tuple(versions), **others)
        case serve:
            raise RepositoryError(
                f'{POLICY}: serve must be {{"latest": N}} or {{"versions": [N, ...]}}, '
                f"not {shown(serve)}."
            )


def read_policy(model_directory: Path) -> Policy:
    """Read a model's policy; without a file it is the latest version alone.

    Raises:
        RepositoryError: the file is no policy; the message names the place.
    """
    value = read_optional(model_directory / POLICY, most_bytes=_MOST_BYTES)
    return Policy() if value is None else policy_from_json(value)


def write_policy(model_directory: Path, policy: Policy) -> None:
    """Put a model's policy in force; every worker reads it at its next look.

    Raises:
        OSError: the folder cannot be written.
    """
    write_object(model_directory / POLICY, policy.to_json())


def rolled_back(policy: Policy, available: Iterable[int]) -> Policy:
    """Return the policy that serves the version before the highest one that serves now.

    It names the version, so that the next one that is published does not take over by itself.

    Args:
        policy: the policy in force.
        available: the versions that there are.

    Raises:
        RepositoryError: there is no earlier version.
    """
    versions = sorted(available)
    serving = policy.select(versions)
    earlier = [version for version in versions if serving and version < serving[-1]]
    if not earlier:
        now = f"version {serving[-1]} serves" if serving else "nothing serves"
        raise RepositoryError(f"There is no earlier version to go back to; {now}.")
    return replace(policy, versions=(earlier[-1],))


def _is_declaration(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(isinstance(each, bool) for each in value.values())
    return isinstance(value, bool | None)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
