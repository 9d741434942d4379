"""Digits drawn by program, in the form of MNIST: for machines without the data set."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

# Five by seven, as on displays.
_GLYPHS = """
.###. ..#.. .###. ####. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# ....# ..##. #.... #.... ....# #...# #...#
#...# ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#...# ..#.. ...#. .###. #..#. ....# ####. ..#.. .###. .####
#...# ..#.. ..#.. ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. .#... ....# ...#. #...# #...# ..#.. #...# ....#
.###. .###. ##### ####. ...#. .###. .###. ..#.. .###. .###.
"""
_SCALE = 3


def draw(count: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return pictures, uint8 [count, 28, 28], of digits in turn, and the digits, uint8 [count].

    They are shifted, slanted, of several strengths, and not clean.
    """
    rows = [line.split() for line in _GLYPHS.split("\n") if line]
    glyphs = np.array([[[c == "#" for c in row[digit]] for row in rows] for digit in range(10)])
    large = glyphs.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)
    random = np.random.default_rng(seed)
    digits = np.arange(count) % 10
    pictures = np.zeros((count, 28, 28))
    for picture, digit in zip(pictures, digits, strict=True):
        top, left = random.integers(1, 6, 2)
        slant = random.uniform(-0.2, 0.2)
        for row, line in enumerate(large[digit]):
            start = left + 3 + round(slant * (10 - row))
            picture[top + row, start : start + len(line)] = line * random.uniform(150, 255)
    noisy = pictures + random.uniform(0, 40, pictures.shape)
    return noisy.clip(0, 255).astype(np.uint8), digits.astype(np.uint8)


def write_mnist(folder: Path, train: int, test: int) -> Path:
    """Write ``mnist.npz`` as Keras stores it into ``folder`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (x_train, y_train), (x_test, y_test) = draw(train, seed=1), draw(test, seed=2)
    path = folder / "mnist.npz"
    np.savez_compressed(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path
