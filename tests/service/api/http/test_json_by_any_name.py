"""JSON requests whose Content-Type says something else, or that come with marks and blanks."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import publish_kinds
from tests.savedmodels.plain import publish_plain_bodies
from tests.service.conftest import served

ECHO, ECHO2 = "/v1/models/echo:predict", "/v2/models/echo/infer"
BODY = b'{"instances": ["a", "b"]}'
INFER = b'{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}'
TYPES = [
    "",
    "application/json",
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "text/plain",
    "text/plain;charset=UTF-8",
    "TEXT/PLAIN",
    "text/csv",
    "text/html",
    "text/json",
    "application/vnd.api+json",
    "application/octet-stream",
    "application/x-npy",
    "image/png",
    "multipart/form-data; boundary=x",
    "nonsense",
]


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_plain_bodies(root)
    publish_kinds(root)
    publish_affine(root)
    with served(root, request.param) as client:
        yield client


def post(client: FlaskClient, url: str, body: bytes, content_type: str, **headers: str) -> Any:
    # An empty one is none at all.
    headers |= {"Content-Type": content_type} if content_type else {}
    return client.post(url, data=body, headers=headers)


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("before", [b"", b" \r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n "])
def test_an_object_with_instances_is_json(
    client: FlaskClient, content_type: str, before: bytes
) -> None:
    answer = post(client, ECHO, before + BODY, content_type)
    assert (answer.status_code, answer.json) == (200, {"predictions": ["A", "B"]})
    answer = post(client, ECHO, before + b'{"inputs": ["a"]}', content_type)
    assert answer.json == {"outputs": ["A"]}
    body = b'{"signature_name": "", "unknown": 1, "instances": ["a"]}'
    answer = post(client, ECHO, before + body, content_type)
    assert answer.json["error"].startswith("unknown: Unknown field")
    answer = post(client, ECHO2, before + INFER, content_type)
    assert answer.json["outputs"][0]["data"] == ["A"]
    body = b'{"signature_name": "of_two", "examples": [{"text": "1234"}]}'
    answer = post(client, "/v1/models/kinds:classify", before + body, content_type)
    assert answer.json == {"results": [[["short", 0.5], ["long", 0.5]]]}


@pytest.mark.parametrize("content_type", ["text/plain", "text/csv", "application/octet-stream"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": ["a", ]}',
        b'{"instances": ["a"',
        b"{'instances': ['a']}",
        b"{instances: ['a']}",
        b'{"instances": ["a"]} {"instances": ["b"]}',
        b'{"instances": ["a"]}\n{"instances": ["b"]}\n',
        b'{"inputs": NaN}',
        b'{ "signature_name" : "x"',
    ],
)
def test_what_begins_as_a_request_is_no_text(
    client: FlaskClient, content_type: str, body: bytes
) -> None:
    answer = post(client, ECHO, body, content_type)
    assert answer.status_code == 400
    assert answer.json["error"].startswith("JSON Parse error: ")
    assert post(client, ECHO2, body, content_type).status_code == 400


@pytest.mark.parametrize(
    "text",
    [
        'I sent {"instances": ["a"]} and got nothing.',
        '"instances": 5',
        '["a", "b"]',
        '{"text": "a"}',
        '{"text": {"instances": []}}',
        "{}",
        "{brackets} and inputs: fine",
        "instances",
        '"A quoted film"',
        "5",
        "null",
        '{"a": 1} "inputs": 2',
        "{",
    ],
)
def test_a_text_that_merely_mentions_json_is_a_text(client: FlaskClient, text: str) -> None:
    answer = post(client, ECHO, text.encode(), "text/plain")
    assert answer.json == {"predictions": [text.upper()]}
    answer = post(client, ECHO2, text.encode(), "application/octet-stream")
    assert text.upper().encode() in answer.data


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "windows-1252"])
def test_json_in_another_charset(client: FlaskClient, charset: str) -> None:
    body = '{"instances": ["grün"]}'.encode(charset)
    answer = post(client, ECHO, body, f"text/plain; charset={charset}")
    assert answer.json == {"predictions": ["GRÜN"]}


def test_raw_bytes_are_what_their_header_says(client: FlaskClient) -> None:
    """That header is not a content type that a browser makes up."""
    header = {"Inference-Header-Content-Length": "0"}
    answer = post(client, ECHO2, INFER, "application/octet-stream", **header)
    assert INFER.upper() in answer.data
    header = {"Inference-Header-Content-Length": str(len(INFER))}
    answer = post(client, ECHO2, INFER, "application/octet-stream", **header)
    assert answer.json["outputs"][0]["data"] == ["A"]


def test_a_request_in_a_part_of_a_form_is_refused(client: FlaskClient) -> None:
    files = {"file": (BytesIO(BODY), "request.json")}
    answer = client.post(ECHO, data=files, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert answer.json["error"].startswith("files[0] ('request.json'): Expected a text, not a req")


@pytest.mark.parametrize("content_type", ["text/html", "image/png", "application/xml"])
def test_what_is_no_json_is_refused_as_ever(client: FlaskClient, content_type: str) -> None:
    for url in (ECHO, ECHO2, "/v1/models/kinds:classify"):
        assert post(client, url, b"<p>Hello</p>", content_type).status_code == 415


def test_an_empty_signature_name_is_none(client: FlaskClient) -> None:
    row = {"x": [1, 2], "text": "quiet"}
    want = {"predictions": [{"y": 5.0, "loud": "QUIET"}]}
    for url in ("/v1/models/affine:predict", "/v1/models/affine:predict?signature_name="):
        body = {"signature_name": "", "instances": [row]}
        assert client.post(url, json=body).json == want
    body = {"signature_name": "", "instances": [[1, 2]]}
    url = "/v1/models/affine:predict?signature_name=only_y"
    assert client.post(url, json=body).json == {"predictions": [5.0]}
    body = {"signature_name": "", "examples": [row]}
    assert client.post("/v1/models/affine:regress", json=body).json == {"results": [5.0]}
    parameters = {"parameters": {"signature_name": ""}}
    for url in (ECHO2, f"{ECHO2}?signature_name="):
        answer = client.post(url, json={**json.loads(INFER), **parameters})
        assert answer.json["outputs"][0]["data"] == ["A"]
    assert client.get("/v2/models/echo?signature_name=").status_code == 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("YQ==", b"a"),
        ("YQ", b"a"),
        ("YQ==\n", b"a"),
        ("YWFh\r\nYWFh\r\n", b"aaaaaa"),
        ("Y W\tF h", b"aaa"),
    ],
)
def test_base64_as_it_is_found(client: FlaskClient, text: str, value: bytes) -> None:
    answer = client.post(ECHO, json={"instances": [{"b64": text}]})
    assert answer.json == {"predictions": [value.upper().decode()]}
