"""A model's metadata in the protocol's form."""

from collections.abc import Iterable
from typing import Any

from service.api.codecs.oip.datatypes import datatype
from service.repository.contract import Field, Signature

PLATFORM = "tensorflow_savedmodel"


def model_metadata(model: str, versions: Iterable[int], signature: Signature) -> dict[str, Any]:
    """Describe a signature of a model.

    Args:
        model: the model's name.
        versions: those that serve.
        signature: what is described; a free dimension is -1, and so is the only one of a tensor
            of unknown rank.
    """
    return {
        "name": model,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": [_tensor(field) for field in signature.inputs],
        "outputs": [_tensor(field) for field in signature.outputs],
    }


def _tensor(field: Field) -> dict[str, Any]:
    shape = (None,) if field.shape is None else field.shape
    return {
        "name": field.name,
        "datatype": datatype(field),
        "shape": [-1 if size is None else size for size in shape],
    }
