"""A file as it was sent, or stored in a folder, to a file that a graph may decode."""

from service.images.file_headers import Picture, PictureError, describe_pictures, read_header
from service.images.orientation import upright


class UnfitPictureError(Exception):
    """A file is not one that a field takes; the message is a sentence that says what it takes."""


def checked(encoded: bytes, content_types: tuple[str, ...], most_pixels: int) -> Picture:
    """Return what the header of a file says, where it is a picture that a field takes.

    Args:
        encoded: the file.
        content_types: those that the field takes.
        most_pixels: the most that it may have.

    Raises:
        UnfitPictureError: it is not of these types, incomplete, or too large when decoded.
    """
    expected = describe_pictures(content_types)
    try:
        picture = read_header(encoded)
        if picture.content_type not in content_types:
            raise PictureError(describe_pictures((picture.content_type,)))
    except PictureError as error:
        raise UnfitPictureError(f"Expected {expected}, not {error}.") from error
    if picture.width * picture.height > most_pixels:
        size = f"{picture.width} x {picture.height}"
        raise UnfitPictureError(f"Expected {expected} of at most {most_pixels} pixels, not {size}.")
    return picture


def decodable(picture: Picture, content_types: tuple[str, ...]) -> bytes:
    """Return the file of a checked picture as a graph must get it.

    Raises:
        UnfitPictureError: it cannot be decoded.
    """
    try:
        return upright(picture, content_types)
    except PictureError as error:
        expected = describe_pictures(content_types)
        raise UnfitPictureError(f"Expected {expected}, not {error}.") from error


def prepared(encoded: bytes, content_types: tuple[str, ...], most_pixels: int) -> bytes:
    """Return a file as a graph must get it; see ``checked`` and ``decodable``.

    Raises:
        UnfitPictureError: as they do.
    """
    return decodable(checked(encoded, content_types, most_pixels), content_types)
