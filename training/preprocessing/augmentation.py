"""Augmentation: changes pictures in ways that keep their classes."""

import numpy as np
import numpy.typing as npt

# A garment can hang the other way round, off its centre by so many pixels, and partly hidden.
_SHIFT = 2
_ERASED_SHARE = 0.25
_ERASED_SIZES = (3, 10)


def augment(images: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Mirror, shift and partly erase pictures, uint8 [N, side, side], each in its own way.

    Erasing follows Zhong et al. 2020, with black, which is the background.
    """
    count, side = len(images), images.shape[1]
    pixel = np.arange(side)
    mirrored = random.random(count) < 0.5
    turned = np.where(mirrored[:, None, None], images[:, :, ::-1], images)
    padded = np.pad(turned, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT)))
    down, right = random.integers(0, 2 * _SHIFT, (2, count), endpoint=True)
    rows, columns = down[:, None] + pixel, right[:, None] + pixel
    shifted = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    top, left = random.integers(0, side, (2, count))
    height, width = random.integers(*_ERASED_SIZES, (2, count), endpoint=True)
    height = np.where(random.random(count) < _ERASED_SHARE, height, 0)
    hidden_rows = (pixel >= top[:, None]) & (pixel < (top + height)[:, None])
    hidden_columns = (pixel >= left[:, None]) & (pixel < (left + width)[:, None])
    shifted[hidden_rows[:, :, None] & hidden_columns[:, None, :]] = 0
    return np.asarray(shifted)
