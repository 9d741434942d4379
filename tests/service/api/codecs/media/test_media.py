"""Pictures, texts, CSV files, numpy arrays and forms as bodies, through the whole application."""

import gzip
import re
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.service.api.plain_bodies import (
    BMP,
    FORM,
    HEADER,
    IMAGES,
    PNG,
    SEEN,
    SMALL,
    TABLE,
    form,
    npy,
    post,
)
from tests.service.images.test_file_headers import encode, marked, turned


@pytest.mark.parametrize(
    ("model", "content_type", "body", "predictions"),
    [
        ("album", "image/png", PNG, [SEEN]),
        ("album", "image/bmp", BMP, [SEEN]),
        ("album", "image/gif", encode(marked("L"), "GIF"), [SEEN]),
        ("album", "image/jpeg", turned(8), [SEEN]),
        # Other names, other cases, and the wrong one of those that the model takes.
        ("album", "image/jpg", encode(marked("L"), "JPEG", quality=100), [SEEN]),
        ("album", "IMAGE/PNG; foo=bar", PNG, [SEEN]),
        ("album", "image/jpeg", PNG, [SEEN]),
        ("album", FORM, form(('name="a"', "image/png", PNG)), [SEEN]),
        (
            "album",
            FORM,
            form(
                ('name="a"; filename="a.png"', "image/png", PNG),
                ('name="a"; filename="b"', "application/octet-stream", SMALL),
                ('name="c"; filename="c.bmp"', "", BMP),
            ),
            [SEEN, {"height": 1.0, "width": 2.0, "corner": 7.0}, SEEN],
        ),
        ("album", "application/x-npy", npy(IMAGES), [15.0, 51.0]),
        ("album", "application/x-npy", npy(IMAGES.astype(np.float32)), [15.0, 51.0]),
        ("album", "application/x-npy", npy(IMAGES.astype(">f8")), [15.0, 51.0]),
        ("album", "application/x-npy", npy(IMAGES.astype(np.float16)), [15.0, 51.0]),
        ("album", "application/x-npy", npy(IMAGES.astype(np.uint8)), [15.0, 51.0]),
        ("album", "application/x-npy", npy(IMAGES.astype(">i4")), [15.0, 51.0]),
        ("album", "application/x-npy", npy(np.asfortranarray(IMAGES)), [15.0, 51.0]),
        ("echo", "text/plain", b"Hello", ["HELLO"]),
        ("echo", "text/plain; charset=UTF-8", "\ufeffgrün\n".encode(), ["GRÜN\n"]),
        ("echo", 'text/plain; charset="iso-8859-1"', "grün".encode("latin-1"), ["GRÜN"]),
        ("echo", "text/plain; charset=utf-16", "grün".encode("utf-16"), ["GRÜN"]),
        ("echo", "text/csv", b'text\n"two\nlines, ""quoted"""\nx\n', ['TWO\nLINES, "QUOTED"', "X"]),
        (
            "echo",
            FORM,
            form(
                ('name="a"', "", b"one"),
                ('name="a"; filename="b.txt"', "text/plain; charset=iso-8859-1", b"zw\xf6lf"),
            ),
            ["ONE", "ZWÖLF"],
        ),
        # Between single line feeds a delimiter is content; names of files may be of any charset.
        (
            "echo",
            FORM,
            form(('name="a"; filename="b.txt"', "", b"one\n--B\ntwo")).replace(
                b"b.txt", b"\xfc.txt"
            ),
            ["ONE\n--B\nTWO"],
        ),
        (
            "cars",
            "text/csv",
            TABLE.encode(),
            [
                {"total": 2224.5, "words": "japan true"},
                {"total": 1001.0, "words": "usa false"},
                {"total": 3.25, "words": "japan true"},
            ],
        ),
        (
            "cars",
            "text/csv; charset=utf-8; header=present",
            b"\xef\xbb\xbffresh, origin,weight,doors\ntrue,usa,1,2",
            [{"total": 2.0, "words": "usa true"}],
        ),
        (
            "cars",
            FORM,
            form(
                ('name="weight"', "", b"10"),
                ('name="doors"', "", b" 2 "),
                ('name="origin"', "text/plain", b"usa"),
                ('name="fresh"', "", b"true"),
                ('name="power"', "", b""),
            ),
            [{"total": 11.0, "words": "usa true"}],
        ),
    ],
)
def test_plain_bodies_are_answered_as_rows_are(
    plain: FlaskClient, model: str, content_type: str, body: bytes, predictions: Any
) -> None:
    response = post(plain, model, content_type, body)
    assert response.status_code == 200, response.json
    assert response.content_type == "application/json"
    assert response.headers["X-Model-Version"] == "1"
    (key,) = response.json
    assert key == "predictions"
    assert response.json["predictions"] == [
        # JPEG does not keep every value.
        pytest.approx(want, abs=3) if type(want) is dict and "corner" in want else want
        for want in predictions
    ]


@pytest.mark.parametrize(
    ("model", "content_type", "body"),
    [
        ("cars", "text/csv", (HEADER + "1,2,3,usa,true\n" * 101).encode()),
        ("album", "application/x-npy", npy(np.zeros((101, 2, 3)))),
        ("echo", FORM, form(*[('name="a"', "", b"x")] * 101)),
    ],
)
def test_too_many_rows(plain: FlaskClient, model: str, content_type: str, body: bytes) -> None:
    response = post(plain, model, content_type, body)
    assert response.status_code == 400
    assert re.fullmatch(
        "Expected at most 100 rows in one request, not (101|more); divide it.",
        response.json["error"],
    )


def test_more_problems_than_are_listed(plain: FlaskClient) -> None:
    for body in ((HEADER + "1\n" * 99).encode(), (HEADER + "x,2,3,usa,true\n" * 99).encode()):
        response = post(plain, "cars", "text/csv", body)
        assert response.json["error"].endswith(" (The first of more than 20 problems.)")
        assert len(response.json["details"]) == 20


def test_the_query_may_name_the_signature(plain: FlaskClient) -> None:
    def ask(signature: str) -> Any:
        path = f"/v1/models/album:predict?signature_name={signature}"
        return plain.post(path, data=PNG, content_type="image/png")

    assert ask("from_encoded").json == {"predictions": [SEEN]}
    assert ask("from%5Fencoded&x=y").json == {"predictions": [SEEN]}
    response = ask("serving_default")
    assert response.status_code == 415
    assert response.json["error"] == (
        "Expected a body of Content-Type application/json or application/x-npy, not 'image/png'."
    )
    response = ask("nope")
    assert response.status_code == 400
    assert response.json["error"] == (
        'Serving signature name: "nope" not found in signature def; '
        "there are: from_encoded, serving_default."
    )


def test_a_broken_picture_among_good_ones_is_found(plain: FlaskClient) -> None:
    parts = [(f'name="a"; filename="{i}.png"', "image/png", PNG) for i in range(3)]
    parts[1] = ('name="a"; filename="1.png"', "image/png", PNG[:-40])
    response = post(plain, "album", FORM, form(*parts))
    assert response.status_code == 400
    assert response.json["error"].startswith("files[1] ('1.png'): The model refused the input: ")
    response = post(plain, "album", "image/png", PNG[:-40])
    assert response.status_code == 400
    assert response.json["error"].startswith("The model refused the input: ")


def test_packed_bodies(plain: FlaskClient) -> None:
    packed = {"headers": {"Content-Encoding": "gzip"}}
    response = post(plain, "album", "image/png", gzip.compress(PNG), **packed)
    assert response.json == {"predictions": [SEEN]}
    response = post(plain, "album", "image/png", gzip.compress(bytes(50_000_000)), **packed)
    assert response.status_code == 413
    assert response.json["error"] == "The body is larger than 1000000 bytes."
