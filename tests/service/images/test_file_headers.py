"""Encoded pictures, as what stands before the graph sees them."""

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.images.file_headers import Picture, PictureError, read_header
from service.images.orientation import upright

# Its corners tell the ways it can lie: bright at the top left, half so at the top right.
MARKED = np.zeros((48, 64), np.uint8)
MARKED[:16, :16] = 255
MARKED[:16, -16:] = 128
ALL = ("image/png", "image/jpeg", "image/gif", "image/bmp")
ENDS_EARLY = "ends early"


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def marked(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(MARKED).convert(mode)


def png_header(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that claims to be of this size."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\r" + chunk + struct.pack(">I", zlib.crc32(chunk))


def animation(pictures: int) -> bytes:
    frames = [Image.new("L", (30, 20), 10 * i) for i in range(pictures)]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("encoded", "content_type"),
    [
        *(
            pytest.param(
                encode(marked(mode), kind, **options), f"image/{kind}", id=f"{kind} {mode}"
            )
            for kind, mode, options in [
                ("png", "RGB", {}),
                ("png", "LA", {}),
                ("png", "P", {}),
                ("png", "1", {}),
                ("png", "I;16", {}),
                ("jpeg", "RGB", {}),
                ("jpeg", "L", {"progressive": True}),
                ("jpeg", "CMYK", {"comment": b"\xff\xc0 is no frame"}),
                ("gif", "L", {"comment": b"x" * 600}),
                ("gif", "P", {"interlace": True}),
                ("bmp", "RGB", {}),
                ("bmp", "L", {}),
                ("bmp", "1", {}),
            ]
        ),
    ],
)
def test_the_size_is_read_from_the_header(encoded: bytes, content_type: str) -> None:
    picture = read_header(encoded)
    assert (picture.content_type, picture.width, picture.height) == (content_type, 64, 48)
    assert picture.orientation == 1


def test_a_bmp_whose_rows_begin_at_the_top() -> None:
    encoded = bytearray(encode(marked(), "BMP"))
    encoded[22:26] = struct.pack("<i", -48)
    assert read_header(bytes(encoded)).height == 48


def test_of_an_animation_only_the_first_picture_is_left() -> None:
    whole = animation(50)
    first = read_header(whole)
    assert (first.width, first.height) == (30, 20)
    assert len(first.encoded) < len(whole) / 10
    with Image.open(io.BytesIO(first.encoded)) as image:
        assert image.n_frames == 1
        assert (np.asarray(image.convert("L")) == 0).all()


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><p>", "a file that begins with b'<!DOCTYPE ht'"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP file"),
        (b"RIFF\x10\0\0\0WAVEfmt ", r"a file that begins with b'RIFF\x10\x00\x00\x00WAVE'"),
        (b"\0\0\0\x18ftypheic\0\0", "a HEIC file"),
        (b"\0\0\0\x18ftypavif\0\0", "an AVIF file"),
        (b"MM\0*\0\0", "a TIFF file"),
        (b"%PDF-1.7", "a PDF file"),
        (b"\x89PNG\r\n\x1a\n", "a PNG file without a header"),
        (png_header(7, 7)[:20], f"a PNG file that {ENDS_EARLY}"),
        (png_header(0, 7), "a PNG file of 0 x 7 pixels"),
        (b"\xff\xd8\xff", f"a JPEG file that {ENDS_EARLY}"),
        (b"\xff\xd8\xff\xe0\0\x04ab", f"a JPEG file that {ENDS_EARLY}"),
        (b"\xff\xd8\xff\xc0\0\x0b\x08\0", f"a JPEG file that {ENDS_EARLY}"),
        (b"\xff\xd8\xff\xda\0\x04ab", "a JPEG file without a picture"),
        (b"\xff\xd8\xff\xd9", "a JPEG file without a picture"),
        (b"\xff\xd8\xff\xe0\0\x02" * 100_001, "a JPEG file without a picture"),
        (encode(marked(), "JPEG") + b"\xff\xda" * 50, "a JPEG file of 51 scans"),
        (b"GIF89a", f"a GIF file that {ENDS_EARLY}"),
        (encode(marked(), "GIF")[:-9], f"a GIF file that {ENDS_EARLY}"),
        (b"GIF89a" + bytes(7) + b";", "a GIF file without a picture"),
        (b"GIF89a" + bytes(7) + b"!\xfe\0" * 100_001, "a GIF file without a picture"),
        (
            b"GIF89a" + bytes(7) + b"!\xfe" + b"\1x" * 100_001,
            "a GIF file of more than 100000 blocks",
        ),
        (b"BM" + bytes(12), f"a BMP file that {ENDS_EARLY}"),
        (b"BM" + bytes(52), "a BMP file of 0 x 0 pixels"),
        (b"BM" + bytes(28) + b"\1" + bytes(23), "a BMP file that is packed"),
        (b"BM" + bytes(16) + struct.pack("<ii", -5, 5) + bytes(30), "a BMP file of -5 x 5 pixels"),
    ],
)
def test_what_is_no_picture(encoded: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as caught:
        read_header(encoded)
    assert str(caught.value) == reason


@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]),
    st.binary(max_size=200),
)
def test_garbage_is_a_picture_of_some_size_or_none(beginning: bytes, rest: bytes) -> None:
    try:
        picture = read_header(beginning + rest)
    except PictureError:
        return
    assert picture.width > 0
    assert picture.height > 0
    with contextlib.suppress(PictureError):
        upright(picture, ALL)


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=4))
def test_a_photograph_with_damaged_exif(at: int, damage: bytes) -> None:
    encoded = bytearray(turned(6))
    encoded[at : at + len(damage)] = damage
    with contextlib.suppress(PictureError):
        picture = read_header(bytes(encoded))
        # What claims to be larger is refused before it is turned; here it would only take time.
        if picture.width * picture.height < 1_000_000:
            upright(picture, ALL)


def turned(orientation: int, order: str = "big", mode: str = "RGB") -> bytes:
    """Return a JPEG that lies so that following its orientation shows ``MARKED``."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = marked(mode)
    if orientation in undo:
        image = image.transpose(undo[orientation])
    exif = Image.Exif()
    exif.endian = ">" if order == "big" else "<"
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    return encode(image, "JPEG", exif=exif, quality=95)


@pytest.mark.parametrize("content_types", [ALL, ("image/jpeg",)], ids=["bmp", "jpeg"])
@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_brought_upright(
    orientation: int, order: str, mode: str, content_types: tuple[str, ...]
) -> None:
    picture = read_header(turned(orientation, order, mode))
    assert picture.orientation == orientation
    encoded = upright(picture, content_types)
    assert read_header(encoded).content_type in content_types
    with Image.open(io.BytesIO(encoded)) as image:
        seen = np.asarray(image.convert("L")).astype(int)
    assert np.abs(seen - MARKED).mean() < 3


@pytest.mark.parametrize(
    "encoded",
    [
        turned(1),
        turned(9),
        turned(0),
        encode(marked(), "JPEG"),
        encode(marked(), "BMP"),
        animation(1),
    ],
)
def test_what_is_upright_stays_as_it_is(encoded: bytes) -> None:
    assert upright(read_header(encoded), ALL) == encoded


def test_a_photograph_that_is_cut_off_is_refused() -> None:
    """As it is, a graph would see it lying on its side."""
    with pytest.raises(PictureError, match="a JPEG file that cannot be decoded"):
        upright(read_header(turned(6)[:-60]), ALL)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "RGBA", "I;16"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_png_is_brought_upright_with_its_transparency(orientation: int, mode: str) -> None:
    with Image.open(io.BytesIO(turned(orientation))) as lying:
        wide = np.asarray(lying.convert("L"))
    image = Image.fromarray(wide).convert("RGB" if "A" in mode else "L").convert(mode)
    if mode == "I;16":
        image = Image.fromarray(wide.astype(np.uint16) * 257)
    if "A" in mode:
        image.putalpha(Image.fromarray(wide))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_header(encode(image, "PNG", exif=exif))
    assert picture.orientation == orientation
    with Image.open(io.BytesIO(upright(picture, ALL))) as shown:
        assert ("A" in shown.mode) == ("A" in mode)
        bands = [shown.getchannel("A")] if "A" in mode else []
        for band in (shown.convert("L"), *bands):
            seen = np.asarray(band).astype(int)
            assert np.abs(seen - MARKED).mean() < (20 if mode == "1" else 3)


@pytest.mark.parametrize(
    ("kind", "mode", "colour"),
    [("PNG", "L", 255), ("PNG", "RGB", (255, 255, 255)), ("GIF", "L", 255)],
)
def test_one_transparent_colour_becomes_opacity(kind: str, mode: str, colour: Any) -> None:
    picture = read_header(encode(marked(mode), kind, transparency=colour))
    assert picture.is_unusual
    with Image.open(io.BytesIO(upright(picture, ALL))) as image:
        opacity = np.asarray(image.getchannel("A"))
    assert (opacity == np.where(MARKED == 255, 0, 255)).all()


def raw_png(depth: int, kind: int, samples: Any, transparent: list[int]) -> bytes:
    """Return a PNG of these samples, whose last dimension is a pixel's, with a transparent one."""
    wide = np.asarray(samples)
    bits = (wide[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    rows = np.packbits(bits.reshape(len(wide), -1).astype(np.uint8), axis=1)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", wide.shape[1], wide.shape[0], depth, kind, 0, 0, 0),
        b"tRNS": struct.pack(f">{len(transparent)}H", *transparent),
        b"IDAT": zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("place", [(0, 0), (1, 3), (3, 7)])
def test_a_transparent_grey_of_any_depth_becomes_opacity(
    depth: int, place: tuple[int, int]
) -> None:
    # Of 16 bits neighbours differ in their lower eight alone.
    grey = np.arange(32).reshape(4, 8) % 2**depth
    clear = int(grey[place])
    picture = read_header(raw_png(depth, 0, grey[..., None], [clear]))
    with Image.open(io.BytesIO(upright(picture, ALL))) as image:
        opacity = np.asarray(image.getchannel("A"))
    assert (opacity == np.where(grey == clear, 0, 255)).all()


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_of_any_depth_becomes_opacity(depth: int) -> None:
    colours = (np.arange(96).reshape(4, 8, 3) + 20) << (depth - 8)
    clear = colours[2, 5]
    picture = read_header(raw_png(depth, 2, colours, clear.tolist()))
    with Image.open(io.BytesIO(upright(picture, ALL))) as image:
        opacity = np.asarray(image.getchannel("A"))
    assert np.argwhere(opacity == 0).tolist() == [[2, 5]]
    assert set(opacity.ravel().tolist()) == {0, 255}


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("corner", [(0, 0), (25, 7)])
def test_the_first_picture_of_a_gif_is_seen_wherever_it_lies(
    corner: tuple[int, int], transparent: bool
) -> None:
    """TensorFlow cuts off what lies beside the corner of a screen as large as the picture."""
    told = {"transparency": 255} if transparent else {}
    whole = encode(marked("L"), "GIF", **told)
    placed = bytearray(whole)
    placed[6:10] = struct.pack("<HH", 200, 100)
    at = whole.index(b"\x2c" + struct.pack("<HHHH", 0, 0, 64, 48))
    placed[at + 1 : at + 5] = struct.pack("<HH", *corner)
    picture = read_header(bytes(placed))
    assert (picture.width, picture.height) == (64, 48)
    assert upright(picture, ALL) == upright(read_header(whole), ALL)


def bmp32(fourth: int, order: tuple[int, ...] = (2, 1, 0), *masks: int) -> bytes:
    """Return a BMP of 5 x 4 pixels with red 10, green 20 and blue 30 in four bytes each."""
    pixel = bytes([(10, 20, 30)[place] for place in order] + [fourth])
    told = struct.pack(f"<{len(masks)}I", *masks)
    header = struct.pack("<IiiHHIIiiII", 40, 5, 4, 1, 32, 3 if masks else 0, 80, 0, 0, 0, 0)
    head = struct.pack("<IHHI", 54 + len(told) + 80, 0, 0, 54 + len(told))
    return b"BM" + head + header + told + pixel * 20


@pytest.mark.parametrize("fourth", [0, 7, 255])
@pytest.mark.parametrize("masks", [(), (0xFF0000, 0xFF00, 0xFF)], ids=["plain", "masks"])
def test_the_fourth_byte_of_a_bmp_is_no_opacity(fourth: int, masks: tuple[int, ...]) -> None:
    picture = read_header(bmp32(fourth, (2, 1, 0), *masks))
    with Image.open(io.BytesIO(upright(picture, ALL))) as image:
        assert image.mode == "RGB"
        assert image.getpixel((2, 2)) == (10, 20, 30)


def test_a_bmp_of_colours_that_nobody_reads_is_refused() -> None:
    with pytest.raises(PictureError, match="a BMP file that cannot be decoded"):
        upright(read_header(bmp32(0, (0, 1, 2), 0xFF, 0xFF00, 0xFF0000)), ALL)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_a_bmp_with_a_palette_is_written_without(mode: str) -> None:
    bright = Image.fromarray(MARKED).convert(mode)
    if mode == "P":
        bright = Image.fromarray(MARKED).convert("RGB").quantize(7)
    picture = read_header(encode(bright, "BMP"))
    assert picture.is_unusual
    with Image.open(io.BytesIO(upright(picture, ALL))) as image:
        assert image.mode in ("L", "RGB")
        seen = np.asarray(image.convert("L")).astype(int)
    assert np.abs(seen - MARKED).mean() < (20 if mode == "1" else 3)


def test_an_older_bmp() -> None:
    core = struct.pack("<IHHHH", 12, 5, 4, 1, 24)
    rows = (b"\x40\x80\xc0" * 5 + b"\0") * 4
    encoded = b"BM" + struct.pack("<IHHI", 26 + len(rows), 0, 0, 26) + core + rows
    picture = read_header(encoded)
    assert (picture.width, picture.height) == (5, 4)
    with Image.open(io.BytesIO(upright(picture, ALL))) as image:
        assert image.getpixel((4, 3)) == (0xC0, 0x80, 0x40)


def test_a_header_that_lies_about_a_palette_is_refused() -> None:
    encoded = bytearray(encode(Image.new("P", (8, 8)), "BMP"))
    encoded[18:22] = struct.pack("<i", 4000)
    picture = read_header(bytes(encoded))
    assert picture == Picture(bytes(encoded), "image/bmp", 4000, 8, is_unusual=True)
    with pytest.raises(PictureError, match="a BMP file that cannot be decoded"):
        upright(picture, ALL)
