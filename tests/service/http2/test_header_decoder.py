"""Header blocks: RFC 7541's own examples, and what nobody should send."""

from typing import Any

import pytest

from service.http2.errors import ErrorCode, Http2Error
from service.http2.header_decoder import HeaderDecoder
from service.http2.header_encoder import header_block
from service.http2.header_table import Field

# Appendices C.3 and C.4: the same three requests, without and with Huffman's code.
REQUESTS: list[list[Field]] = [
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"www.example.com"),
    ],
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"www.example.com"),
        (b"cache-control", b"no-cache"),
    ],
    [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ],
]
PLAIN = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
]
PACKED = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
]


def decoder() -> HeaderDecoder[Any]:
    return HeaderDecoder(lambda fields: fields)


@pytest.mark.parametrize("blocks", [PLAIN, PACKED])
def test_the_examples_of_the_standard(blocks: list[str]) -> None:
    read = decoder()
    assert [read.head(bytes.fromhex(block)) for block in blocks] == REQUESTS


def test_a_block_means_something_else_once_the_table_has_changed() -> None:
    read = decoder()
    read.head(b"\x40\x01a\x01b")
    assert [read.head(b"\xbe"), read.head(b"\xbe")] == [[(b"a", b"b")]] * 2
    read.skip(b"\x40\x01c\x01d")
    assert read.head(b"\xbe") == [(b"c", b"d")]
    assert read.head(b"\xbf") == [(b"a", b"b")]


def test_a_smaller_table_forgets_the_oldest() -> None:
    read = decoder()
    read.head(b"\x40\x01a\x01b\x40\x01c\x01d")
    # Room for one entry of 34 bytes.
    assert read.head(b"\x3f\x03\xbe") == [(b"c", b"d")]
    with pytest.raises(Http2Error, match="refers to no field"):
        read.head(b"\xbf")
    # An entry larger than the table empties it.
    read.head(b"\x40\x01a\x05bbbbb")
    with pytest.raises(Http2Error):
        read.head(b"\xbe")


def test_a_long_value() -> None:
    assert decoder().head(header_block(b"a", b"b" * 300)) == [(b"a", b"b" * 300)]


@pytest.mark.parametrize("more", [b"\xbe" * 10, b"\x00\x01x\x7f\x81\x7f" + b"y" * 16384])
def test_too_many_bytes_are_not_kept_but_change_the_table(more: bytes) -> None:
    """A reference of one byte may stand for 4,000: a bomb."""
    read = decoder()
    read.head(b"\x40\x01a\x7f\x81\x1e" + b"b" * 3968)
    assert read.head(more + b"\x40\x01c\x01d") is None
    assert read.head(b"\xbe") == [(b"c", b"d")]


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # the field number 0
        b"\xff\x00",  # one beyond both tables
        b"\xff\xff\xff\xff\xff\xff\x01",  # a number of 42 bits
        b"\xff\x80\x80\x80\x80\x80\x00",  # nothing, in many octets
        b"\x40\x05ab",  # ends within a name
        b"\x40",  # ends before one
        b"\x41",  # ends before a value
        b"\x00\x81\xff\x00",  # a name of padding alone
        b"\x00\x81\x00\x00",  # padded with zeros
        b"\x00\x84\xff\xff\xff\xff\x00",  # the code of a string's end
        b"\x3f\xe2\x1f",  # a table of 4,097 bytes
        b"\x82\x20",  # a new size within a block
    ],
)
def test_what_is_no_block_ends_the_connection(block: bytes) -> None:
    with pytest.raises(Http2Error) as caught:
        decoder().head(block)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR
