"""The template's filters for a report's values: numbers, names, images."""

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.console.number_format import figure

# Of a long text so much is shown.
_SHOWN_CHARACTERS = 600
_ACRONYMS = ("auc", "ece", "f1", "l2", "mae", "rmse", "sd", "sha256")


def name_of(key: str) -> str:
    """Return a dotted key as people read it: "cross_validation.mae" is "Cross validation: MAE"."""
    words = [
        word.upper() if word in _ACRONYMS else word
        for word in key.replace(".", ": ").replace("_", " ").split(" ")
    ]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def shortened(text: str) -> str:
    """Return the beginning of a long text, up to the end of a word."""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    words, _, _ = text[:_SHOWN_CHARACTERS].rpartition(" ")
    return f"{words or text[:_SHOWN_CHARACTERS]} ..."


def svg_source(drawing: str) -> str:
    """Return a drawing as the source of an image: its styles and names stay its own."""
    return _inline("image/svg+xml", drawing.encode())


def png_source(pixels: npt.NDArray[np.uint8]) -> str:
    """Return an image, uint8 [height, width] or [height, width, 3], as the source of one."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return _inline("image/png", file.getvalue())


def is_numeric(value: object) -> bool:
    """Whether a value is a number, and stands to the right in a table."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _inline(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "figure": figure,
    "name": name_of,
    "png": png_source,
    "shortened": shortened,
    "svg": svg_source,
}
TESTS: Mapping[str, Callable[..., bool]] = {"numeric": is_numeric}
