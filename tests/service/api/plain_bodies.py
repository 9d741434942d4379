"""Plain bodies: pictures, tables, arrays and forms, and how they are sent."""

import io
import struct
from typing import Any

import numpy as np
from flask.testing import FlaskClient
from PIL import Image

from tests.service.images.test_file_headers import encode, marked, png_header

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


# A bad body: model, content type, body, status, the sentence, the places in details.
BadBody = tuple[str, str, bytes, int, str, list[str]]
BAD_BODY = ("model", "content_type", "body", "status", "sentence", "places")
