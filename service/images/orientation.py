"""Rewrites pictures that a graph would misread, so that it sees what people see."""

import io

import numpy as np
from PIL import Image

from service.images.file_headers import Picture, PictureError, file_type

# The size has been checked before, against a limit of our own.
Image.MAX_IMAGE_PIXELS = None

# Exif 2.3, table 5: what brings a picture of each orientation upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Beyond this a turned photograph is larger than it came, and nothing is gained.
_QUALITY = 95
# PNG's cheapest: the file is read once, a moment later.
_COMPRESSION = 1
# Where a PNG has the bits of one of its samples: in IHDR, which is the first chunk.
_PNG_DEPTH = 24


def upright(picture: Picture, content_types: tuple[str, ...]) -> bytes:
    """Return the file as a graph must get it to see what people see.

    Args:
        picture: what ``read_header`` found.
        content_types: what the graph takes; BMP is the fastest to write and to read, PNG alone
            keeps transparency.

    Raises:
        PictureError: it would be misread as it is, and Pillow cannot decode it.
    """
    turn = _TURNS.get(picture.orientation)
    if turn is None and not picture.is_unusual:
        return picture.encoded
    file = io.BytesIO(picture.encoded)
    try:
        with Image.open(file, formats=("PNG", "JPEG", "GIF", "BMP")) as image:
            if image.size != (picture.width, picture.height):
                raise ValueError("another size than its header says")
            _scale_transparent_colour(image, picture)
            shown = _plain(image)
            return _written(shown if turn is None else shown.transpose(turn), content_types)
    except Exception as error:  # Each of Pillow's readers has exceptions of its own.
        raise PictureError(f"{file_type(picture.content_type)} that cannot be decoded") from error


def _scale_transparent_colour(image: Image.Image, picture: Picture) -> None:
    """Bring a PNG's transparent colour to the eight bits of its pixels, which Pillow does not do.

    Colours of 16 bits are compared by their upper eight, as Pillow reads no more of them.
    """
    colour = image.info.get("transparency")
    if picture.content_type != "image/png" or colour is None:
        return
    depth = picture.encoded[_PNG_DEPTH]
    if image.mode == "L" and depth in (2, 4):
        image.info["transparency"] = colour * 255 // (2**depth - 1)
    elif image.mode == "RGB" and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _plain(image: Image.Image) -> Image.Image:
    """Return an image in a mode that graphs know: grey or colour, with or without opacity."""
    if image.mode.startswith("I"):  # Of 16 bits a graph takes the upper eight; Pillow would clip.
        values = np.asarray(image)
        grey = Image.fromarray((values >> 8).astype(np.uint8))
        if (clear := image.info.get("transparency")) is None:
            return grey
        opacity = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
        return Image.merge("LA", (grey, opacity))
    if "transparency" in image.info:
        return image.convert("RGBA")
    image.load()
    return image if image.mode in ("L", "RGB", "LA", "RGBA") else image.convert("RGB")


def _written(image: Image.Image, content_types: tuple[str, ...]) -> bytes:
    written = io.BytesIO()
    if image.mode in ("LA", "RGBA") and "image/png" in content_types:
        image.save(written, "PNG", compress_level=_COMPRESSION)
        return written.getvalue()
    opaque = image if image.mode in ("L", "RGB") else image.convert("RGB")
    if "image/bmp" in content_types:
        opaque.save(written, "BMP")
    elif "image/png" in content_types and "image/jpeg" not in content_types:
        opaque.save(written, "PNG", compress_level=_COMPRESSION)
    else:
        opaque.save(written, "JPEG", quality=_QUALITY, subsampling=0)
    return written.getvalue()
