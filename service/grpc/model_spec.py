"""``tensorflow.serving.ModelSpec``: which model, version or label a request asks."""

from typing import Any

from service.api.inference.pipeline import Target
from service.errors import InvalidRequestError


def target_of(spec: Any) -> Target:
    """Return whom a ``ModelSpec`` means.

    Raises:
        InvalidRequestError: it names no model.
    """
    if not spec.name:
        raise InvalidRequestError("model_spec.name: Missing model name in request.")
    choice = spec.WhichOneof("version_choice")
    return Target(
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


def model_in(kind: Any, data: bytes) -> str:
    """Return the model that a request asks, for its key; empty where it cannot be parsed.

    Args:
        kind: the class of the request, which has a ``model_spec``.
        data: the request as it came.
    """
    try:
        name: str = kind.FromString(data).model_spec.name
    except Exception:
        return ""
    return name
