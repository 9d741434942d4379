"""Pictures changed for learning."""

import numpy as np

from training.preprocessing.augmentation import augment


def test_augmentation_changes_pictures_and_not_their_frame() -> None:
    images = np.zeros((500, 28, 28), np.uint8)
    images[:, 10:18, 6:18] = 200
    changed = augment(images, np.random.default_rng(1))
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    assert set(np.unique(changed)) == {0, 200}
    assert (augment(images, np.random.default_rng(1)) == changed).all()
    rows, columns = np.nonzero(changed.any(axis=0))
    assert (rows.min(), rows.max()) == (8, 19)
    assert (columns.min(), columns.max()) == (4, 23)  # mirrored, 6..17 becomes 10..21
