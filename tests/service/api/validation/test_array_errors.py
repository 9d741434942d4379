"""Arrays that are none, or are not the model's."""

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.service.api.error_bodies import assert_rejected
from tests.service.api.plain_bodies import (
    BAD_BODY,
    IMAGES,
    BadBody,
    npy,
    npy_with,
    post,
)

BAD: list[BadBody] = [
    (
        "album",
        "application/x-npy",
        b"",
        400,
        "Expected a .npy file, not bytes that begin otherwise.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        b"\x93NUMPY",
        400,
        "Expected a .npy file, not bytes that begin otherwise.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        b"\x93NUMPY\4\0",
        400,
        "Expected a .npy file, not bytes that begin otherwise.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        b"\x93NUMPY\2\0" + b"\xff" * 4,
        400,
        "Expected a .npy header of at most 4096 bytes, not 4294967295.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        b"\x93NUMPY\1\0",
        400,
        "Expected a .npy header of a plain array, not ''.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy_with("{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}"),
        400,
        "Expected a .npy header of a plain array, not \"{'descr': __import__('os'), 'fortran_order': False, 'shape':\".",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 02)}"),
        400,
        "Expected a .npy header of a plain array, not \"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 02)}\".",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (1)}"),
        400,
        "Expected a .npy header of a plain array, not \"{'descr': '<f8', 'fortran_order': False, 'shape': (1)}\".",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2)}"),
        400,
        "Expected a .npy header of a plain array, not \"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2)}\".",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy_with("-" * 4000 + "1"),
        400,
        f"Expected a .npy header of a plain array, not '{'-' * 60}'.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(np.array([{}])),
        400,
        "Expected an array of numbers or booleans, not of dtype '|O'.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(["text"]),
        400,
        "Expected an array of numbers or booleans, not of dtype '<U4'.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy([1j]),
        400,
        "Expected an array of numbers or booleans, not of dtype '<c16'.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(np.zeros(1, dtype=[("a", "f4")])),
        400,
        "Expected a .npy header of a plain array, not \"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (\".",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy_with(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 99999999, 99999999)}"
        ),
        400,
        "Expected 7999999760000002399999992 bytes of values, as the .npy header says, not 0.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(IMAGES)[:-1],
        400,
        "Expected 96 bytes of values, as the .npy header says, not 95.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(IMAGES) + b"x",
        400,
        "Expected 96 bytes of values, as the .npy header says, not 97.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(np.zeros((0, 2, 3))),
        400,
        "Expected [N, 2, 3], N at least 1, not [0, 2, 3].",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy_with(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 99 + ")}", bytes(8)
        ),
        400,
        "Expected fewer dimensions than 99.",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(IMAGES[0]),
        400,
        "Expected [N, 2, 3], N at least 1, not [2, 3].",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(IMAGES.reshape(2, 3, 2)),
        400,
        "Expected [N, 2, 3], N at least 1, not [2, 3, 2].",
        [],
    ),
    (
        "album",
        "application/x-npy",
        npy(IMAGES > 3),
        400,
        "Expected an array of float32, not of bool.",
        ["body"],
    ),
    (
        "album",
        "application/x-npy",
        npy(IMAGES * 100),
        400,
        "array[0][1][0]: Expected a number from 0 to 255, not 300.0. (The first of 9 problems.)",
        [f"array[{i // 6}][{i // 3 % 2}][{i % 3}]" for i in range(3, 12)],
    ),
    (
        "album",
        "application/x-npy",
        npy(np.where(IMAGES == 8, np.nan, IMAGES)),
        400,
        "array[1][0][2]: Expected a number from 0 to 255, not nan.",
        ["array[1][0][2]"],
    ),
    (
        "album",
        "application/x-npy",
        npy(np.where(IMAGES == 8, 1e300, IMAGES)),
        400,
        "array[1][0][2]: Expected a number from 0 to 255, not 1e+300.",
        ["array[1][0][2]"],
    ),
    (
        "album",
        "application/x-npy",
        npy(np.asfortranarray(np.where(IMAGES == 8, -1.0, IMAGES))),
        400,
        "array[1][0][2]: Expected a number from 0 to 255, not -1.0.",
        ["array[1][0][2]"],
    ),
]


@pytest.mark.parametrize(BAD_BODY, BAD)
def test_bad_arrays_are_explained(
    plain: FlaskClient,
    model: str,
    content_type: str,
    body: bytes,
    status: int,
    sentence: str,
    places: list[str],
) -> None:
    assert_rejected(post(plain, model, content_type, body), status, sentence, places)
