"""What series count for that may end before the process does: a model's version, or an API key."""

from collections.abc import Mapping

# A model and its version; or no model, and an API key's name.
Group = tuple[str, str]

_NO_MODEL = ""


def group_of(labels: Mapping[str, str]) -> Group | None:
    """Return what a series counts for and may outlive; ``None`` if it is nothing that ends."""
    model, version = labels.get("model"), labels.get("version")
    if model and version:
        return (model, version)
    return key_group(labels["key"]) if labels.get("key") else None


def key_group(name: str) -> Group:
    """Return what the series of an API key count for."""
    return (_NO_MODEL, name)


def is_key(group: Group) -> bool:
    """Whether a group is an API key's, and not a version's."""
    return group[0] == _NO_MODEL
