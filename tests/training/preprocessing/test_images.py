"""Encoded pictures become what the data set would show."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from training.preprocessing.images import from_encoded

RANDOM = np.random.default_rng(0)

# A trapezium, brighter to the right, that touches the left and right edges: 20 high, 28 wide.
GARMENT = np.zeros((28, 28), np.uint8)
for row in range(4, 24):
    GARMENT[row, row // 4 : 28 - row // 4] = np.linspace(120, 250, 28 - 2 * (row // 4))
GARMENT[4:24, [0, 27]] = 200


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def in_graph(encoded: Any) -> Any:
    return from_encoded(encoded, 28)


def decoded(encoded: Any) -> np.ndarray:
    picture = in_graph(encoded).numpy()
    assert picture.dtype == np.float32
    return np.asarray(picture)


def grey(picture: np.ndarray) -> Any:
    return tf.constant(picture[:, :, None])


def bmp(picture: np.ndarray) -> bytes:
    """Return a 24-bit BMP, which TensorFlow reads but does not write."""
    height, width = picture.shape
    rows = b"".join(row.repeat(3).tobytes() + bytes(-3 * width % 4) for row in picture[::-1])
    header = np.array([54 + len(rows), 0, 54, 40, width, height], "<u4").tobytes()
    rest = (
        np.array([1, 24], "<u2").tobytes() + np.array([0, len(rows), 0, 0, 0, 0], "<u4").tobytes()
    )
    return b"BM" + header + rest + rows


def gif(picture: np.ndarray) -> bytes:
    """Return a GIF of two grey values, its codes not compressed (Welch 1984, cleared each time)."""
    height, width = picture.shape
    size = np.array([width, height], "<u2").tobytes()
    head = b"GIF89a" + size + b"\xf6\x00\x00" + bytes((np.arange(128).repeat(3) * 2).tolist())
    bits, count = 0, 0
    for value in (picture // 2).ravel():  # a clear code before each pixel: always eight bits
        bits |= (128 | int(value) << 8) << count
        count += 16
    bits |= 129 << count
    data = bits.to_bytes(count // 8 + 1, "little")
    blocks = b"".join(
        bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)
    )
    return head + b"\x2c" + bytes(4) + size + b"\x00\x07" + blocks + b"\x00\x3b"


def test_a_picture_of_the_data_set_is_taken_as_it_is() -> None:
    assert (decoded(tf.io.encode_png(grey(GARMENT))) == GARMENT).all()


@pytest.mark.parametrize(
    ("encode", "tolerance"),
    [
        (lambda p: tf.io.encode_png(grey(p)), 0),
        (lambda p: tf.io.encode_jpeg(grey(p), quality=100), 3),
        (bmp, 1e-4),
        (gif, 1),
    ],
    ids=["png", "jpeg", "bmp", "gif"],
)
def test_all_formats_show_the_same(encode: Any, tolerance: float) -> None:
    assert np.abs(decoded(encode(GARMENT)) - GARMENT).mean() <= tolerance


def test_a_bright_background_is_inverted_and_the_garment_cropped_and_centred() -> None:
    large = 255 - GARMENT.repeat(5, 0).repeat(5, 1)
    photograph = np.pad(large, ((10, 70), (100, 30)), constant_values=255)
    picture = decoded(tf.io.encode_png(grey(photograph)))
    assert np.abs(picture - GARMENT).mean() < 3


def test_a_tall_garment_keeps_its_proportions() -> None:
    photograph = np.zeros((120, 90), np.uint8)
    photograph[5:105, 60:85] = 200  # 100 high, 25 wide
    picture = decoded(tf.io.encode_png(grey(photograph)))
    columns = np.flatnonzero(picture.max(axis=0) > 100)
    rows = np.flatnonzero(picture.max(axis=1) > 100)
    assert (rows[0], rows[-1]) == (0, 27)
    assert (columns[0], columns[-1]) == (10, 16)  # 7 wide, in the middle


def test_colour_becomes_grey_and_a_dark_cut_out_lies_on_white() -> None:
    colour = np.zeros((40, 40, 4), np.uint8)
    colour[8:32, 8:32] = (255, 0, 0, 255)  # red, whose luma is 76: 179 when inverted
    picture = decoded(tf.io.encode_png(colour))
    assert picture.max() == pytest.approx(179, abs=1)
    grey_alpha = np.zeros((40, 40, 2), np.uint8)
    grey_alpha[8:32, 8:32] = (76, 255)
    assert np.abs(decoded(tf.io.encode_png(grey_alpha)) - picture).max() <= 1


def test_a_bright_cut_out_lies_on_black() -> None:
    opacity = np.where(GARMENT > 0, 255, 0).astype(np.uint8)
    assert GARMENT[GARMENT > 0].mean() > 127.5
    cut_out = np.stack([GARMENT, opacity], axis=2)
    assert (decoded(tf.io.encode_png(cut_out)) == GARMENT).all()
    # What lies in the transparent pixels is not seen, whatever it is.
    cut_out[GARMENT == 0, 0] = 255
    assert (decoded(tf.io.encode_png(cut_out)) == GARMENT).all()
    # Hardly opaque pixels count little: here they would make the mean dark.
    cut_out[GARMENT == 0] = (0, 1)
    assert (decoded(tf.io.encode_png(cut_out)) == GARMENT).all()


def test_transparency_of_nothing_and_of_everything() -> None:
    colour = RANDOM.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    for picture in (colour, colour // 2 + 128, colour // 2):
        opaque = np.dstack([picture, np.full((40, 40), 255, np.uint8)])
        plain, with_alpha = map(decoded, map(tf.io.encode_png, (picture, opaque)))
        assert (plain == with_alpha).all()
    for value in (0, 255):
        invisible = np.dstack([np.full((40, 40, 3), value, np.uint8), np.zeros((40, 40), np.uint8)])
        assert decoded(tf.io.encode_png(invisible)).max() == 0


def test_a_large_photograph_and_a_single_pixel() -> None:
    photograph = np.full((3000, 1000, 3), 250, np.uint8)
    photograph[500:2500, 300:700] = 20
    picture = decoded(tf.io.encode_jpeg(photograph))
    columns = np.flatnonzero(picture.max(axis=0) > 100)
    assert 5 <= len(columns) <= 6  # 400 of 2000, of 28
    assert decoded(tf.io.encode_png(np.zeros((1, 1, 1), np.uint8))).max() == 0
    assert np.isfinite(decoded(tf.io.encode_png(np.full((5, 9, 1), 255, np.uint8)))).all()


def test_what_is_no_picture_fails() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(b"no picture")
