"""The inputs of a SavedModel's signature, under the names that its clients use."""

from collections.abc import Mapping
from typing import Any


def signature_inputs(function: Any) -> dict[str, Any]:
    """Return TensorFlow's specification of each input of a loaded signature, by its name.

    ``structured_input_signature`` has names that Python's parameters can have: ``age_group`` where
    the signature says ``age-group``. A service serves what the signature says.

    Args:
        function: one of the ``signatures`` of what ``tf.saved_model.load`` returns.
    """
    specs: Mapping[str, Any] = function.structured_input_signature[1]
    names = {_parameter(name): name for name in function._arg_keywords}
    return {names.get(parameter, parameter): spec for parameter, spec in specs.items()}


def _parameter(name: str) -> str:
    """Return what TensorFlow calls the parameter for an input."""
    swapped = "".join(char if char.isalnum() else "_" for char in name)
    return swapped if swapped[:1].isalpha() else f"arg_{swapped}"
