"""Heads whose lines differ from request to request are read as any other, and found again."""

import pytest

from service.api.inference.prediction_loop import PredictionRoutes
from service.server.request_heads import HeadReader

LINES = (
    b"Host: 127.0.0.1",
    b"Content-Type: application/json",
    b"Content-Length: 2",
)


@pytest.fixture
def reader() -> HeadReader:
    routes = PredictionRoutes({"predict": None}, None)  # type: ignore[dict-item, arg-type]
    return HeadReader(lambda _, path: routes.find(path))


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([b"POST /v1/models/a:predict HTTP/1.1", *lines, b"", b""])


@pytest.mark.parametrize(
    "own",
    [
        [b"X-Request-Id: 7"],
        [b"traceparent: 00-a-b-c", b"tracestate: a=1,b=2", b"x-request-id: 8"],
        [b"TRACEPARENT:\t x \t", b"tracestate:"],
        [b"traceparent: \xe9"],
        [b"traceparent: a", b"traceparent: b"],
        [b"Traceparent: a", b"tracePARENT: a"],
        [b"x-request-id: a\x00b"],
        [b"x-request-id: a\nb"],
        [b"x-request-id: a\rb"],
        [b"traceparent: a", b" folded"],
        [b"traceparent : a"],
        [b" traceparent: a"],
        [b"x-traceparent: a"],
        [b"x-request-id-2: a"],
        [b"x-request-id: a", b"bad line"],
        [b"x-request-id: " + b"a" * 9000],
        [b"x-request-id: " + b"a" * 8000],
        [b"x-request-id: a", *(b"h%d: a" % n for n in range(95))],
        [b"x-request-id: a", *(b"h%d: a" % n for n in range(96))],
        [b"x-request-id: a", *(b"h%d: a" % n for n in range(97))],
        [b"x-request-id: a", b"Transfer-Encoding: chunked"],
        [b"x-request-id: Host: b"],
    ],
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_head_is_read_as_if_it_were_the_first(
    reader: HeadReader, own: list[bytes], place: int
) -> None:
    lines = [*LINES[:place], *own, *LINES[place:]]
    # The rest is known already, in each order.
    reader.read(head(*LINES))
    found, expected = reader.read(head(*lines)), reader._parse(head(*lines))
    assert found == expected
    assert reader.read(head(*lines)) == expected


@pytest.mark.parametrize(
    ("host", "is_plain"),
    [
        (b"models.example:8501", True),
        (b"[::1]:8501", True),
        (b"[::1]evil.example", False),
        (b"[::1].evil.example", False),
        (b"evil.example:80:models.example", False),
        (b"::1", False),
        (b"[::1", False),
        (b":80", False),
    ],
)
def test_an_unusual_host_is_left_to_the_strict_parser(
    reader: HeadReader, host: bytes, is_plain: bool
) -> None:
    found = reader.read(head(b"Host: " + host, *LINES[1:]))
    assert (found is not None) == is_plain


def test_what_differs_with_each_request_is_not_kept(reader: HeadReader) -> None:
    for number in range(100):
        found = reader.read(head(b"traceparent: %d" % number, *LINES, b"x-request-id: %d" % number))
        assert found is not None
        assert found.environ["HTTP_TRACEPARENT"] == found.environ["HTTP_X_REQUEST_ID"]
        assert found.environ["HTTP_TRACEPARENT"] == str(number)
    assert len(reader._known) == 1
    plain = reader.read(head(*LINES))
    assert plain is not None
    assert "HTTP_TRACEPARENT" not in plain.environ
