"""Inputs that are files: checked and prepared before they reach the graph, in every wire format."""

from collections.abc import Callable, Iterator

import numpy as np

from service.api.pictures import (
    Picture,
    PictureError,
    describe_pictures,
    is_known,
    look,
    upright,
)
from service.api.problems import refusal
from service.api.tensors import Array, Index
from service.repository.contract import Field, Signature
from service.repository.golden import Tensors

# The pictures of a request are decoded in one call of the graph, which nothing can break off.
_TOGETHER = 8

# Says how the client calls the value of an input at an index.
Place = Callable[[str, Index], str]


class Files:
    """Prepares the files of requests."""

    def __init__(self, *, most_pixels: int, max_errors: int) -> None:
        """Prepare.

        Args:
            most_pixels: the most pixels that a picture may have; all those of a request may have
                eight times as many.
            max_errors: the most problems of one request that are listed.
        """
        self._most_pixels = most_pixels
        self._max_errors = max_errors

    def prepare(self, signature: Signature, inputs: Tensors, place: Place) -> Tensors:
        """Return the inputs of a request, its pictures as the graph must get them.

        Files of types that are no pictures are left as they are.

        Args:
            signature: whose inputs.
            inputs: an array for each of them.
            place: names a value for the client.

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
                    problems[place(field.name, index)] = [found]
        if problems:
            raise refusal(problems, self._max_errors)
        prepared = {}
        for name, found_pictures in pictures.items():
            array = np.empty(len(found_pictures), dtype=np.object_)
            content_types = signature.input(name).content_types
            array[:] = [upright(picture, content_types) for picture in found_pictures]
            prepared[name] = array.reshape(inputs[name].shape)
        return {**inputs, **prepared}

    def _look(self, field: Field, files: Array) -> Iterator[tuple[Index, Picture | str]]:
        """Yield each file's picture, or what is wrong with it in a sentence, with its index."""
        expected = describe_pictures(field.content_types)
        most, together = self._most_pixels, self._most_pixels * _TOGETHER
        seen = 0
        for index, encoded in np.ndenumerate(files):
            try:
                picture = look(encoded)
                if picture.content_type not in field.content_types:
                    raise PictureError(describe_pictures((picture.content_type,)))
            except PictureError as error:
                yield index, f"Expected {expected}, not {error}."
                continue
            if picture.width * picture.height > most:
                size = f"{picture.width} x {picture.height}"
                yield index, f"Expected {expected} of at most {most} pixels, not {size}."
                continue
            seen += picture.width * picture.height
            if seen > together:
                yield index, f"Expected at most {together} pixels in all pictures, not {seen}."
            else:
                yield index, picture
