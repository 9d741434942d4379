from typing import Any

import pytest

from service.repository.json_strings import string_from_json, string_to_json


@pytest.mark.parametrize(
    ("value", "string"),
    [
        ("", b""),
        ("é", b"\xc3\xa9"),
        ({"b64": ""}, b""),
        ({"b64": "/w=="}, b"\xff"),
        ({"b64": "/w"}, b"\xff"),
        ({"b64": "/w==\n"}, b"\xff"),
        ({"b64": "_w=="}, b"\xff"),
        ({"b64": "-_8"}, b"\xfb\xff"),
        ({"b64": "+/8="}, b"\xfb\xff"),
        ({"b64": " AAAA\r\nAAAA\r\n\tAA = = "}, bytes(7)),
        ({"b64": "AAAAA"}, None),
        ({"b64": "A"}, None),
        ({"b64": "/w="}, None),
        ({"b64": "/w==="}, None),
        ({"b64": "===="}, None),
        ({"b64": "="}, None),
        ({"b64": "/w==/w=="}, None),
        ({"b64": "A=AA"}, None),
        ({"b64": "AA\x0bAA"}, None),
        ({"b64": "AA.A"}, None),
        ({"b64": "é"}, None),
        ({"b64": 1}, None),
        ({"b64": "/w==", "more": 1}, None),
        ({}, None),
        (b"bytes", None),
        (1, None),
        (None, None),
        (["a"], None),
    ],
    ids=repr,
)
def test_what_json_stands_for(value: Any, string: bytes | None) -> None:
    assert string_from_json(value) == string


@pytest.mark.parametrize("string", [b"", b"text", "é".encode(), b"\xff", b"\0"])
def test_there_and_back(string: bytes) -> None:
    for as_base64 in (False, True):
        assert string_from_json(string_to_json(string, as_base64=as_base64)) == string


def test_text_is_text_unless_asked_otherwise() -> None:
    assert string_to_json("é".encode()) == "é"
    assert string_to_json(b"\xff") == {"b64": "/w=="}
    assert string_to_json(b"a", as_base64=True) == {"b64": "YQ=="}
