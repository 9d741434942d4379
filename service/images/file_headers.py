"""The headers of encoded pictures, read before a graph decodes them.

A file of some kilobytes can claim to be a picture of gigabytes, and one file that a graph cannot
decode makes it fail for all. So a picture's size is read from its header, as TensorFlow's decoders
read it. Pictures that those decoders would misread are found too, so that they can be rewritten:
pictures with an Exif orientation, with transparency of one colour, and BMP files with a palette or
in another order of colours.
"""

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# As TensorFlow's ``decode_image`` distinguishes them.
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}
_NAMES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/bmp": "BMP"}

# Frequent files of other types, by where and how they begin, so that messages can name them.
_OTHERS = (
    (8, b"WEBP", "a WebP file"),
    (4, b"ftyphei", "a HEIC file"),
    (4, b"ftypmif1", "a HEIC file"),
    (4, b"ftypavif", "an AVIF file"),
    (0, b"II*\0", "a TIFF file"),
    (0, b"MM\0*", "a TIFF file"),
    (0, b"%PDF", "a PDF file"),
)
_SHOWN = 12

# Each scan of a progressive JPEG goes over all its pixels, and may itself be a few bytes long:
# 130 kB took 23 s to decode. Encoders make about 10.
_MOST_SCANS = 50
# Segments of a JPEG, or extensions or blocks of a GIF, that are walked through. Encoders fill the
# 255 bytes of a block, and write some dozens of the others.
_MOST_STEPS = 100_000
_START_OF_SCAN, _END = 0xDA, 0xD9
_NO_FILLING = re.compile(rb"[^\xff]")
# T.81, table B.1: the markers that begin a frame, and those that stand alone.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_APP1 = 0xE1
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
# Of a PNG: the kinds of colour that are grey or red, green and blue, without opacity (PNG, 11.2.1).
_PLAIN_COLOURS = (0, 2)
# Of a GIF: what its parts begin with.
_EXTENSION, _IMAGE = 0x21, 0x2C
_GRAPHIC_CONTROL = 0xF9
# Of a BMP: the size of the older header, of the first with a mask for opacity, and the ways to
# pack that do not compress (plain, bit masks).
_OS2_HEADER, _OPACITY_HEADER = 12, 56
_PLAIN, _MASKS = 0, 3
# The masks of red, green, blue and opacity by which TensorFlow reads 32 bits.
_USUAL_MASKS = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


class PictureError(Exception):
    """The bytes are not such a picture; the message completes "Expected a picture, not"."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and what its header says.

    Attributes:
        encoded: the file, as a graph should decode it.
        content_type: what it is.
        width: in pixels.
        height: in pixels.
        orientation: from 1, upright, to 8, as in Exif.
        is_unusual: whether Pillow reads it and TensorFlow misreads it: see ``upright``.
    """

    encoded: bytes
    content_type: str
    width: int
    height: int
    orientation: int = 1
    is_unusual: bool = False


def is_known(content_type: str) -> bool:
    """Whether files of this type can be read here."""
    return content_type in _NAMES


def file_type(content_type: str) -> str:
    """Return the words for a file of a type in a message: "a PNG file"."""
    return f"a {_NAMES[content_type]} file"


def describe_pictures(content_types: tuple[str, ...]) -> str:
    """Return in words what ``content_types`` are: "a PNG, JPEG or GIF picture"."""
    *others, last = (_NAMES[each] for each in content_types)
    return f"a {', '.join(others)} or {last} picture" if others else f"a {last} picture"


def read_header(encoded: bytes) -> Picture:
    """Return what the header of a PNG, JPEG, GIF or BMP file says.

    Only the first picture of a GIF is kept: graphs that take one picture use that.

    Raises:
        PictureError: it is not such a file, or incomplete.
    """
    for beginning, content_type in _BEGINNINGS.items():
        if encoded.startswith(beginning):
            try:
                return _READERS[content_type](encoded)
            except (struct.error, IndexError, ValueError) as error:
                name = _NAMES[content_type]
                raise PictureError(f"a {name} file that ends early") from error
    for at, beginning, what in _OTHERS:
        if encoded.startswith(beginning, at):
            raise PictureError(what)
    if not encoded:
        raise PictureError("an empty file")
    raise PictureError(f"a file that begins with {encoded[:_SHOWN]!r}")


def _png(encoded: bytes) -> Picture:
    # The first chunk must be IHDR (PNG, 5.6).
    if encoded[12:16] != b"IHDR":
        raise PictureError("a PNG file without a header")
    width, height, _, colours = struct.unpack_from(">IIBB", encoded, 16)
    orientation, is_unusual, at = 1, False, 8
    for _ in range(_MOST_STEPS):
        # Anything may follow the picture; a file that ends early is rejected by its decoder.
        head = encoded[at : at + 8]
        if len(head) < 8 or head.endswith(b"IEND"):
            break
        size = int.from_bytes(head[:4], "big")
        if head.endswith(b"eXIf"):
            orientation = _orientation(encoded[at + 8 : at + 8 + size])
        elif head.endswith(b"tRNS"):
            # The one colour that is transparent: TensorFlow takes it for any other.
            is_unusual = colours in _PLAIN_COLOURS
        at += size + 12
    return _measured(Picture(encoded, "image/png", width, height, orientation, is_unusual))


def _bmp(encoded: bytes) -> Picture:
    (header,) = struct.unpack_from("<I", encoded, 14)
    if header == _OS2_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", encoded, 18)
        packing = _PLAIN
    else:
        width, height, _, bits, packing = struct.unpack_from("<iiHHI", encoded, 18)
    # Unpacking is slow in Pillow, and TensorFlow does not know how.
    if packing not in (_PLAIN, _MASKS):
        raise PictureError("a BMP file that is packed")
    # TensorFlow takes an index into a palette for a grey value, and any fourth byte for opacity.
    is_unusual = bits < 24 or header == _OS2_HEADER
    if bits == 32:
        is_unusual = packing == _PLAIN or header < _OPACITY_HEADER
        is_unusual = is_unusual or struct.unpack_from("<4I", encoded, 54) != _USUAL_MASKS
    # A negative height means that the rows begin at the top.
    return _measured(Picture(encoded, "image/bmp", width, abs(height), is_unusual=is_unusual))


def _gif(encoded: bytes) -> Picture:
    (flags,) = struct.unpack_from("<B", encoded, 10)
    at = 13 + _colours(flags)
    is_unusual = False
    for _ in range(_MOST_STEPS):
        if encoded[at] != _EXTENSION:
            break
        if encoded[at + 1] == _GRAPHIC_CONTROL:
            # One of its colours is transparent, which TensorFlow does not follow.
            is_unusual = bool(encoded[at + 3] & 1)
        at = _after_blocks(encoded, at + 2)
    if encoded[at] != _IMAGE:
        raise PictureError("a GIF file without a picture")
    width, height, flags = struct.unpack_from("<HHB", encoded, at + 5)
    end = _after_blocks(encoded, at + 10 + _colours(flags) + 1)
    # The screen becomes as large as the picture, and the picture lies at its corner: TensorFlow
    # takes the size of the picture but its place on the screen, and would cut it off.
    size, corner = encoded[at + 5 : at + 9], bytes(4)
    first = b"".join(
        (encoded[:6], size, encoded[10 : at + 1], corner, size, encoded[at + 9 : end], b";")
    )
    return _measured(Picture(first, "image/gif", width, height, is_unusual=is_unusual))


def _colours(flags: int) -> int:
    """Return how many bytes a GIF's table of colours has."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(encoded: bytes, at: int) -> int:
    for _ in range(_MOST_STEPS):
        size = encoded[at]
        at += size + 1
        if size == 0:
            return at
    raise PictureError(f"a GIF file of more than {_MOST_STEPS} blocks")


def _jpeg(encoded: bytes) -> Picture:
    orientation, at = 1, 2
    for _ in range(_MOST_STEPS):
        # What stands between segments is skipped, as libjpeg does.
        found = _NO_FILLING.search(encoded, encoded.index(b"\xff", at))
        if found is None:
            raise IndexError
        marker, at = encoded[found.start()], found.end()
        if marker == 0 or marker in _ALONE:
            continue
        if marker in (_START_OF_SCAN, _END):
            break
        (size,) = struct.unpack_from(">H", encoded, at)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", encoded, at + 3)
            scans = encoded.count(bytes((0xFF, _START_OF_SCAN)))
            if scans > _MOST_SCANS:
                raise PictureError(f"a JPEG file of {scans} scans")
            return _measured(Picture(encoded, "image/jpeg", width, height, orientation))
        if marker == _APP1 and encoded.startswith(_EXIF, at + 2):
            orientation = _orientation(encoded[at + 2 + len(_EXIF) : at + size])
        at += size
    raise PictureError("a JPEG file without a picture")


def _orientation(tiff: bytes) -> int:
    """Return the orientation in Exif data; 1 where they have none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(entries):
            # Tag, type, count and, as it is one short number, the value itself.
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:
        pass
    return 1


def _measured(picture: Picture) -> Picture:
    if picture.width <= 0 or picture.height <= 0:
        raise PictureError(
            f"a {_NAMES[picture.content_type]} file of {picture.width} x {picture.height} pixels"
        )
    return picture


_READERS: Mapping[str, Callable[[bytes], Picture]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/bmp": _bmp,
}
