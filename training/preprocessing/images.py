"""Turns an encoded picture into the form of Fashion-MNIST, in a TensorFlow graph."""

from typing import Any

import tensorflow as tf

# Xiao et al. 2017: edges within 5 % of the corner's colour are trimmed.
_TRIM = 0.05 * 255
_MIDDLE = 127.5
# A larger picture first loses rows and columns: its detail would not survive anyhow, and the
# work stays the same however large a photograph is.
_LARGEST = 512
# ITU-R BT.601, what PIL and browsers take for grey.
_LUMA = (0.299, 0.587, 0.114)


def from_encoded(encoded: Any, size: int) -> Any:
    """Decode PNG, JPEG, GIF or BMP (an animation's first picture) as the data set would show it.

    The picture becomes grey, bright on black, is cropped to what stands out from its background,
    and fitted in its own proportions into the middle of ``size`` x ``size`` pixels. One that has
    this size and a black background already is taken as it is.

    Args:
        encoded: string, a scalar; bytes that are not a picture fail with InvalidArgumentError.
        size: the height and width wanted, in pixels.

    Returns:
        float32 [size, size], whole numbers 0..255: what a data set of bytes would hold of it.
    """
    pixels = tf.io.decode_image(encoded, expand_animations=False)
    stride = tf.maximum(1, (tf.reduce_max(tf.shape(pixels)[:2]) + _LARGEST - 1) // _LARGEST)
    grey = _grey(pixels[::stride, ::stride])
    background = _border_mean(grey)
    bright = background > _MIDDLE
    ready = tf.reduce_all(tf.equal(tf.shape(grey), size)) & ~bright
    fitted = tf.cond(
        ready,
        lambda: grey,
        lambda: _fit(
            tf.where(bright, 255 - grey, grey), tf.where(bright, 255 - background, background), size
        ),
    )
    return tf.round(tf.ensure_shape(fitted, (size, size)))


def _grey(pixels: Any) -> Any:
    """Return uint8 [h, w, 1 to 4 channels] as float32 [h, w].

    A transparent picture is put on the background from which it differs most: on black where it is
    bright in the mean, weighted by its opacity, else on white.
    """
    pixels = tf.cast(pixels, tf.float32)
    channels = tf.shape(pixels)[2]
    grey = tf.cond(
        channels >= 3,
        lambda: tf.tensordot(pixels[:, :, :3], tf.constant(_LUMA), 1),
        lambda: pixels[:, :, 0],
    )
    opaque = tf.cond(channels % 2 == 0, lambda: pixels[:, :, -1] / 255, lambda: tf.ones_like(grey))
    mean = tf.math.divide_no_nan(tf.reduce_sum(grey * opaque), tf.reduce_sum(opaque))
    on_black = (mean > _MIDDLE) & (tf.reduce_min(opaque) < 1)
    grey = tf.where(on_black, grey * opaque, 255 - (255 - grey) * opaque)
    # A graph does not know how many dimensions are left after slicing by a computed step.
    return tf.ensure_shape(grey, (None, None))


def _border_mean(grey: Any) -> Any:
    edges = (grey[0], grey[-1], grey[:, 0], grey[:, -1])
    return tf.reduce_mean(tf.concat(edges, axis=0))


def _fit(grey: Any, background: Any, size: int) -> Any:
    """Crop to the content and fit it, its longer side to ``size``, the background to black."""
    content = grey - background > _TRIM
    # A picture without content is all content.
    content = content | ~tf.reduce_any(content)
    rows = tf.where(tf.reduce_any(content, axis=1))[:, 0]
    columns = tf.where(tf.reduce_any(content, axis=0))[:, 0]
    garment = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    garment = tf.maximum(garment - background, 0) * 255 / (255 - background)
    shape = tf.cast(tf.shape(garment), tf.float32)
    fitted = tf.maximum(1, tf.cast(tf.round(shape * size / tf.reduce_max(shape)), tf.int32))
    # Lanczos keeps edges as sharp as the data set's, whose pictures were sharpened.
    small = tf.image.resize(garment[:, :, None], fitted, method="lanczos3", antialias=True)
    small = tf.clip_by_value(small[:, :, 0], 0, 255)
    missing = size - fitted
    before = missing // 2
    return tf.pad(small, tf.stack([before, missing - before], axis=1))
