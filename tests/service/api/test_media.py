"""Pictures, texts, CSV files, numpy arrays and forms as bodies, through the whole application."""

import gzip
import io
import re
import struct
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.service.api.test_pictures import encode, marked, png_header, turned

PNG = encode(marked("L"), "PNG")
BMP = encode(marked("P"), "BMP")
SMALL = encode(Image.new("L", (2, 1), 7), "PNG")
BOMB = png_header(50_000, 50_000)
EXPECTED = "Expected a PNG, JPEG, GIF or BMP picture"
SEEN = {"height": 48.0, "width": 64.0, "corner": 255.0}

ALBUM = (
    "application/json, application/x-npy, image/png, image/jpeg, image/gif, image/bmp or "
    "multipart/form-data"
)
ECHO = "application/json, text/plain, text/csv or multipart/form-data"
CARS = "application/json, text/csv or multipart/form-data"

HEADER = "doors,weight,power,origin,fresh\n"
TABLE = HEADER + '4,2130.5,90,japan,true\n2, +1e3 ,,"usa",FALSE\r\n\n"3",.5,-0.25,japan,true\n'


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


def npy_with(header: str, values: bytes = b"", version: bytes = b"\1\0") -> bytes:
    size = "<H" if version == b"\1\0" else "<I"
    return b"\x93NUMPY" + version + struct.pack(size, len(header)) + header.encode() + values


def form(*parts: tuple[str, str, bytes]) -> bytes:
    """Return a form whose parts have these parameters, content types and contents."""
    body = b""
    for options, content_type, content in parts:
        body += f"--B\r\nContent-Disposition: form-data; {options}\r\n".encode()
        body += f"Content-Type: {content_type}\r\n".encode() if content_type else b""
        body += b"\r\n" + content + b"\r\n"
    return body + b"--B--\r\n"


FORM = "multipart/form-data; boundary=B"
IMAGES = np.arange(12.0).reshape(2, 2, 3)


def post(client: FlaskClient, model: str, content_type: str, body: bytes, **more: Any) -> Any:
    return client.post(f"/v1/models/{model}:predict", data=body, content_type=content_type, **more)


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


WHOLE = "Expected a number of at least 0 lb"
BAD: list[tuple[str, str, bytes, int, str, list[str]]] = [
    # model, content type, body, status, the sentence, the places in details
    (
        "album",
        "image/webp",
        b"RIFF",
        415,
        f"Expected a body of Content-Type {ALBUM}, not 'image/webp'.",
        [],
    ),
    (
        "album",
        "text/plain",
        b"x",
        415,
        f"Expected a body of Content-Type {ALBUM}, not 'text/plain'.",
        [],
    ),
    (
        "album",
        "text/csv",
        b"x",
        415,
        f"Expected a body of Content-Type {ALBUM}, not 'text/csv'.",
        [],
    ),
    (
        "album",
        "x" * 99,
        b"x",
        415,
        f"Expected a body of Content-Type {ALBUM}, not '{'x' * 60}'.",
        [],
    ),
    (
        "echo",
        "image/png",
        PNG,
        415,
        f"Expected a body of Content-Type {ECHO}, not 'image/png'.",
        [],
    ),
    (
        "echo",
        "application/x-npy",
        npy([1]),
        415,
        f"Expected a body of Content-Type {ECHO}, not 'application/x-npy'.",
        [],
    ),
    (
        "cars",
        "text/plain",
        b"x",
        415,
        f"Expected a body of Content-Type {CARS}, not 'text/plain'.",
        [],
    ),
    (
        "cars",
        "text/html",
        b"x",
        415,
        f"Expected a body of Content-Type {CARS}, not 'text/html'.",
        [],
    ),
    # Pictures.
    ("album", "image/png", b"", 400, "Expected a file, not an empty body.", []),
    (
        "album",
        "image/png",
        BOMB,
        400,
        f"{EXPECTED} of at most 10000 pixels, not 50000 x 50000.",
        ["body"],
    ),
    (
        "album",
        "image/png",
        b"<html>",
        400,
        f"{EXPECTED}, not a file that begins with b'<html>'.",
        ["body"],
    ),
    (
        "album",
        "image/png",
        b"x" * 200_001,
        400,
        "Expected a file of at most 200000 bytes, not 200001.",
        ["body"],
    ),
    # Texts.
    ("echo", "text/plain", b"", 400, "Expected a text, not nothing.", []),
    (
        "echo",
        "text/plain",
        b"ab\xff",
        400,
        "Expected a text in utf-8, not byte 0xff at offset 2.",
        [],
    ),
    (
        "echo",
        "text/plain; charset=us-ascii",
        "\xe4".encode(),
        400,
        "Expected a text in us-ascii, not byte 0xc3 at offset 0.",
        [],
    ),
    (
        "echo",
        "text/plain; charset=utf-16",
        b"abc",
        400,
        "Expected a text in utf-16, not byte 0x63 at offset 2.",
        [],
    ),
    (
        "echo",
        "text/plain; charset=koi8-r",
        b"x",
        415,
        "Expected a text of charset utf-8, us-ascii, iso-8859-1, windows-1252, utf-16, not 'koi8-r'.",
        [],
    ),
    (
        "echo",
        "text/plain",
        b"x" * 101,
        400,
        f"Expected a string of at most 100 bytes, not 101 bytes: '{'x' * 56}....",
        ["body"],
    ),
    # Tables.
    ("cars", "text/csv", b"", 400, "Expected a text, not nothing.", []),
    ("cars", "text/csv", HEADER.encode(), 400, "Expected at least 1 row below the header.", []),
    ("cars", "text/csv", b"\xff", 400, "Expected a text in utf-8, not byte 0xff at offset 0.", []),
    (
        "cars",
        "text/csv",
        b"doors;weight\n1;2\n",
        400,
        "line 1, doors;weight: Unknown column; expected doors, weight, power, origin, fresh. (The first of 5 problems.)",
        [
            "line 1, doors;weight",
            "line 1, doors",
            "line 1, weight",
            "line 1, origin",
            "line 1, fresh",
        ],
    ),
    (
        "cars",
        "text/csv",
        b"\n" + HEADER.replace("power", "doors").encode() + b"1,2,3,usa,true",
        400,
        "line 2, doors: Expected a column once, not twice.",
        ["line 2, doors"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,2,3,usa\n").encode(),
        400,
        "line 2: Expected 5 values, as many as the header has names, not 4.",
        ["line 2"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + '1,2,3,"us"a,true\n').encode(),
        400,
        "line 2: Expected CSV; ',' expected after '\"'.",
        [],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + '1,2,3,"usa\n').encode(),
        400,
        "line 2: Expected CSV; unexpected end of data.",
        [],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,2,3," + "x" * 131_073).encode(),
        400,
        "line 2: Expected CSV; field larger than field limit (131072).",
        [],
    ),
    (
        "cars",
        "text/csv",
        (TABLE + "1,2,3,france,true").encode(),
        400,
        "line 6, origin: Expected one of 'usa', 'japan', not 'france'.",
        ["line 6, origin"],
    ),
    (
        "cars",
        "text/csv",
        (TABLE + "1.5,2,,usa,true").encode(),
        400,
        "line 6, doors: Expected a whole number from 0 to 9, not '1.5'.",
        ["line 6, doors"],
    ),
    (
        "cars",
        "text/csv",
        (TABLE + "10,2,,usa,true").encode(),
        400,
        "line 6, doors: Expected a whole number from 0 to 9, not 10.",
        ["line 6, doors"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not ''.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,nan,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not 'nan'.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,1_0,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not '1_0'.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,1e999,,usa,true").encode(),
        400,
        f"line 2, weight: {WHOLE}, not inf.",
        ["line 2, weight"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + "1,2,,usa,yes").encode(),
        400,
        "line 2, fresh: Expected true or false, not 'yes'.",
        ["line 2, fresh"],
    ),
    (
        "cars",
        "text/csv",
        (HEADER + '"1",-2,,"u\ns",true\nx,1,,usa,1').encode(),
        400,
        f"line 2, weight: {WHOLE}, not -2.0. (The first of 4 problems.)",
        ["line 2, weight", "line 2, origin", "line 4, doors", "line 4, fresh"],
    ),
    # Arrays.
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
        "Expected at least 1 value, not an empty array.",
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
    # Forms.
    (
        "album",
        "multipart/form-data",
        form(),
        400,
        "Expected a boundary of 1 to 70 characters in the Content-Type of a form.",
        [],
    ),
    (
        "album",
        f"multipart/form-data; boundary={'x' * 71}",
        form(),
        400,
        "Expected a boundary of 1 to 70 characters in the Content-Type of a form.",
        [],
    ),
    ("album", FORM, b"x", 400, "The form is not whole: its closing delimiter is missing.", []),
    (
        "album",
        FORM,
        form(('name="a"', "", PNG))[:-6],
        400,
        "The form is not whole: its closing delimiter is missing.",
        [],
    ),
    ("album", FORM, form(), 400, "Expected at least 1 part in a form, not 0.", []),
    (
        "album",
        FORM,
        b"--B\r\nx: y\r\n--B--",
        400,
        "Part 0 of the form is malformed: its head has no end.",
        [],
    ),
    (
        "album",
        FORM,
        b"--Bxy\r\nx: y\r\n\r\n\r\n--B--",
        400,
        "Part 0 of the form is malformed: its head has no end.",
        [],
    ),
    (
        "album",
        FORM,
        b"--B\r\nx: y\r\n\r\n\r\n--B--",
        400,
        "Part 0 of the form: Expected a Content-Disposition of form-data with a name.",
        [],
    ),
    (
        "album",
        FORM,
        form(('name="a"', "x" * 5000, b"")),
        400,
        "Part 0 of the form: Expected a head of at most 4096 bytes, not 5058.",
        [],
    ),
    (
        "album",
        FORM,
        form(('name="a"\r\nContent-Transfer-Encoding: base64', "", b"")),
        400,
        "Part 0 of the form: Expected no Content-Transfer-Encoding (RFC 7578, 4.7).",
        [],
    ),
    (
        "album",
        FORM,
        form(*[('name="a"', "", PNG)] * 1001),
        400,
        "Expected at most 1000 parts in a form, not more.",
        [],
    ),
    (
        "album",
        FORM,
        form(
            ('name="a"; filename="a.png"', "", PNG),
            ('name="a"; filename="b.png"', "", BOMB),
            ('name="a"', "", b"x"),
        ),
        400,
        f"files[1] ('b.png'): {EXPECTED} of at most 10000 pixels, not 50000 x 50000. (The first of 2 problems.)",
        ["files[1] ('b.png')", "files[2]"],
    ),
    (
        "album",
        FORM,
        form(('name="a"; filename="\u202eevil\x1b.png"', "", b"<svg>")),
        400,
        f"files[0] ('\\u202eevil\\x1b.png'): {EXPECTED}, not a file that begins with b'<svg>'.",
        ["files[0] ('\\u202eevil\\x1b.png')"],
    ),
    (
        "echo",
        FORM,
        form(('name="a"', "", b"x"), ('name="a"', "", b"\xff")),
        400,
        "files[1]: Expected a text in utf-8, not byte 0xff at offset 0.",
        [],
    ),
    (
        "echo",
        FORM,
        form(('name="a"; filename="t"', "", b"x" * 101)),
        400,
        f"files[0] ('t'): Expected a string of at most 100 bytes, not 101 bytes: '{'x' * 56}....",
        ["files[0] ('t')"],
    ),
    (
        "cars",
        FORM,
        form(('name="doors"', "", b"x"), ('name="wings"', "", b"1"), ('name="doors"', "", b"1")),
        400,
        "wings: Unknown field; signature 'serving_default' takes doors, weight, power, origin, fresh. (The first of 5 problems.)",
        ["wings", "doors", "weight", "origin", "fresh"],
    ),
    (
        "cars",
        FORM,
        form(
            *(
                (f'name="{name}"', "", value)
                for name, value in [
                    ("doors", b"x"),
                    ("weight", b""),
                    ("origin", b"usa"),
                    ("fresh", b"true"),
                ]
            )
        ),
        400,
        "doors: Expected a whole number from 0 to 9, not 'x'. (The first of 2 problems.)",
        ["doors", "weight"],
    ),
]


@pytest.mark.parametrize(("model", "content_type", "body", "status", "sentence", "places"), BAD)
def test_bad_bodies_are_explained(
    plain: FlaskClient,
    model: str,
    content_type: str,
    body: bytes,
    status: int,
    sentence: str,
    places: list[str],
) -> None:
    response = post(plain, model, content_type, body)
    assert response.json["error"] == sentence
    assert response.status_code == status
    assert list(response.json.get("details", {})) == places


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


GARBAGE = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def splice(valid: bytes) -> st.SearchStrategy[bytes]:
    """Return damaged copies of ``valid``: some bytes replaced, cut or added."""
    cuts = st.integers(0, len(valid))
    return st.tuples(cuts, cuts, st.binary(max_size=8)).map(
        lambda cut: valid[: min(cut[:2])] + cut[2] + valid[max(cut[:2]) :]
    )


@GARBAGE
@given(
    st.sampled_from(
        [
            ("album", "application/x-npy", npy(IMAGES)),
            ("album", "image/png", PNG),
            ("album", "image/gif", encode(marked("L"), "GIF")),
            ("album", "image/bmp", BMP),
            ("album", "image/jpeg", turned(6)),
            ("album", FORM, form(('name="a"; filename="a.png"', "image/png", SMALL))),
            ("echo", "text/plain", "grün".encode()),
            ("echo", FORM, form(('name="a"', "text/plain; charset=utf-8", b"x"))),
            ("cars", "text/csv", TABLE.encode()),
            ("cars", FORM, form(('name="doors"', "", b"1"), ('name="weight"', "", b"1"))),
        ]
    ).flatmap(lambda case: st.tuples(st.just(case[0]), st.just(case[1]), splice(case[2])))
)
def test_damaged_bodies_never_fail_the_service(
    plain: FlaskClient, case: tuple[str, str, bytes]
) -> None:
    response = post(plain, *case)
    assert response.status_code in (200, 400, 415), response.json


@GARBAGE
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_no_content_type_fails_the_service(plain: FlaskClient, parameters: str) -> None:
    for kind in ("multipart/form-data", "text/plain", "image/png", ""):
        response = post(plain, "album", f"{kind};{parameters}" if kind else parameters, b"--B--")
        assert response.status_code in (200, 400, 415), response.json
