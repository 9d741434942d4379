"""Inputs that are files: checked and prepared before they reach the graph, in every wire format."""

from collections.abc import Callable, Iterator

import numpy as np

from service.api.limits import Limits
from service.api.validation.problems import refusal
from service.api.validation.tensors import Array, Index
from service.images.file_headers import Picture, is_known
from service.images.preparation import UnfitPictureError, checked, decodable
from service.repository.contract import Field, Signature
from service.repository.golden import Tensors

# The pictures of a request are decoded in one call of the graph, which nothing can break off.
_TOGETHER = 8

# Says how the client calls the value of an input at an index.
InputPath = Callable[[str, Index], str]


class Files:
    """Prepares the files of requests."""

    def __init__(self, limits: Limits) -> None:
        """Prepares files within limits.

        Args:
            limits: of requests; all pictures of one may have eight times as many pixels as one
                picture.
        """
        self._limits = limits

    def prepare(self, signature: Signature, inputs: Tensors, path_of: InputPath) -> Tensors:
        """Return the inputs of a request, its pictures as the graph must get them.

        Files of types that are no pictures are left as they are.

        Args:
            signature: whose inputs.
            inputs: an array for each of them.
            path_of: names a value for the client.

        Raises:
            InvalidRequestError: a file is none that its field takes, or too large when decoded.
        """
        known = [f for f in signature.files if all(map(is_known, f.content_types))]
        problems: dict[str, list[str]] = {}
        pictures: dict[str, list[Picture]] = {}
        for field in known:
            pictures[field.name] = []
            for index, found in self._look(field, inputs[field.name]):
                if isinstance(found, Picture):
                    pictures[field.name].append(found)
                else:
                    problems[path_of(field.name, index)] = [found]
        if problems:
            raise refusal(problems, self._limits.max_errors)
        prepared = {}
        for field in known:
            array = np.empty(inputs[field.name].shape, dtype=np.object_)
            for index, picture in zip(np.ndindex(array.shape), pictures[field.name], strict=True):
                try:
                    array[index] = decodable(picture, field.content_types)
                except UnfitPictureError as error:
                    problems[path_of(field.name, index)] = [str(error)]
            prepared[field.name] = array
        if problems:
            raise refusal(problems, self._limits.max_errors)
        return {**inputs, **prepared}

    def _look(self, field: Field, files: Array) -> Iterator[tuple[Index, Picture | str]]:
        """Yield each file's picture, or what is wrong with it in a sentence, with its index."""
        together = self._limits.max_image_pixels * _TOGETHER
        seen = 0
        for index, encoded in np.ndenumerate(files):
            try:
                picture = checked(encoded, field.content_types, self._limits.max_image_pixels)
            except UnfitPictureError as error:
                yield index, str(error)
                continue
            seen += picture.width * picture.height
            if seen > together:
                yield index, f"Expected at most {together} pixels in all pictures, not {seen}."
            else:
                yield index, picture
