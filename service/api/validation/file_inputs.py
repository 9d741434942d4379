"""Inputs that are files: checked and prepared before they reach the graph, in every wire format."""

from collections.abc import Callable

import numpy as np

from service.api.request_limits import Limits
from service.api.validation.problems import Index, Problems
from service.api.validation.tensors import Array
from service.images.file_headers import Picture, is_known
from service.images.preparation import UnfitPictureError, checked, decodable
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors

# The pictures of a request are decoded in one call of the graph, which cannot be interrupted.
_TOGETHER = 8

# Returns the path by which the client knows the value of an input at an index.
InputPath = Callable[[str, Index], str]


class FilePreparation:
    """The preparation of files in requests: checks and transforms those that are pictures."""

    def __init__(self, limits: Limits) -> None:
        """A preparation within limits.

        Args:
            limits: of requests; all pictures of one may have eight times as many pixels as one
                picture.
        """
        self._limits = limits

    def prepare(self, signature: Signature, inputs: Tensors, path_of: InputPath) -> Tensors:
        """Return the inputs of a request, its pictures as the graph must get them.

        Files of other types than pictures are left as they are.

        Args:
            signature: whose inputs.
            inputs: an array for each of them.
            path_of: returns the path by which the client knows a value.

        Raises:
            InvalidRequestError: a file is not one that its field takes, or too large when decoded.
        """
        known = [f for f in signature.files if all(map(is_known, f.content_types))]
        problems = Problems(self._limits.max_errors)
        pictures = {
            field.name: self._measure(field, inputs[field.name], problems, path_of)
            for field in known
        }
        problems.raise_if_any()
        prepared = {}
        for field in known:
            array = np.empty(inputs[field.name].shape, dtype=np.object_)
            for index, picture in zip(np.ndindex(array.shape), pictures[field.name], strict=True):
                try:
                    array[index] = decodable(picture, field.content_types)
                except UnfitPictureError as error:
                    problems.add(path_of(field.name, index), str(error))
            prepared[field.name] = array
        problems.raise_if_any()
        return {**inputs, **prepared}

    def _measure(
        self, field: Field, files: Array, problems: Problems, path_of: InputPath
    ) -> list[Picture]:
        """Return each file's picture; those that are not fit are among the problems."""
        together = self._limits.max_image_pixels * _TOGETHER
        pictures = []
        pixels = 0
        for index, encoded in np.ndenumerate(files):
            try:
                picture = checked(encoded, field.content_types, self._limits.max_image_pixels)
            except UnfitPictureError as error:
                problems.add(path_of(field.name, index), str(error))
                continue
            pixels += picture.width * picture.height
            if pixels > together:
                problems.add(
                    path_of(field.name, index),
                    f"Expected at most {together} pixels in all pictures, not {pixels}.",
                )
            pictures.append(picture)
        return pictures
