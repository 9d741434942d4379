"""Pictures of triangles that point somewhere, in all formats, modes and orientations."""

import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

# Where the triangle points, from the middle: its class follows from how the file is turned.
WAYS = {"down": (0, 1), "left": (-1, 0), "up": (0, -1)}
# What turns an upright picture so that following the orientation brings it upright again.
_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def triangle(way: str, side: int, *, dark: bool) -> Image.Image:
    """Return an RGB picture of a triangle, dark on white or bright on black."""
    east, south = WAYS[way]
    half, reach = side / 2, side * 0.4
    image = Image.new("RGB", (side + side // 3, side), "white" if dark else "black")
    ahead = (half + east * reach, half + south * reach)
    behind = (half - east * reach, half - south * reach)
    ends = [(behind[0] + turn * south * reach, behind[1] + turn * east * reach) for turn in (1, -1)]
    ImageDraw.Draw(image).polygon([ahead, *ends], fill="navy" if dark else "yellow")
    return image


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def cut_out(image: Image.Image, mode: str) -> Image.Image:
    """Return what stands out from the ground of ``image``, on nothing."""
    ground = image.getpixel((image.width - 1, 0))
    opacity = (np.asarray(image) != ground).any(axis=2)
    shown = image.convert(mode.removesuffix("A"))
    shown.putalpha(Image.fromarray(np.where(opacity, 255, 0).astype(np.uint8)))
    return shown


def variants(image: Image.Image) -> dict[str, tuple[Image.Image, dict[str, Any]]]:
    """Return what shows people the same as ``image``: by file name, an image and how to save it."""
    grey, few = image.convert("L"), image.quantize(16)
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    ground = image.getpixel((image.width - 1, 0))
    found: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "progressive.jpg": (image, {"quality": 90, "progressive": True}),
        "grey.jpeg": (grey, {"quality": 90}),
        "cmyk.jpg": (image.convert("CMYK"), {"quality": 90}),
        "rgb.png": (image, {}),
        "grey.png": (grey, {}),
        "bits.png": (image.convert("1"), {}),
        "wide.png": (wide, {}),
        "palette.png": (few, {}),
        "rgba.png": (cut_out(image, "RGBA"), {}),
        "la.png": (cut_out(image, "LA"), {}),
        "transparent-index.png": (few, {"transparency": few.getpixel((few.width - 1, 0))}),
        "transparent-colour.png": (image, {"transparency": ground}),
        "palette.gif": (few, {}),
        "interlaced.gif": (few, {"interlace": 1}),
        "transparent.gif": (few, {"transparency": few.getpixel((few.width - 1, 0))}),
        "moving.gif": (few, {"save_all": True, "append_images": [few.rotate(90)] * 3}),
        "rgb.bmp": (image, {}),
        "grey.bmp": (grey, {}),
        "bits.bmp": (image.convert("1"), {}),
        "palette.bmp": (few, {}),
        "four-bytes.bmp": (image.convert("RGBA"), {}),
    }
    for orientation in range(1, 9):
        lying = image.transpose(_UNDO[orientation]) if orientation in _UNDO else image
        for ending, options in (("jpg", {"quality": 90}), ("png", {})):
            name = f"turned-{orientation}.{ending}"
            found[name] = (lying, {**options, "exif": exif(orientation)})
    return found


def write_triangles(folder: Path, sizes: int) -> Path:
    """Write each variant of triangles of so many sizes, a folder for each way they point."""
    chance = random.Random(1)
    for way in WAYS:
        (folder / way).mkdir(parents=True)
        for number in range(sizes):
            image = triangle(way, chance.randint(40, 160), dark=number % 2 == 0)
            for name, (shown, options) in variants(image).items():
                shown.save(folder / way / f"{number}-{name}", **options)
    return folder
