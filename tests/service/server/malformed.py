"""Requests that HTTP forbids, or that a server may refuse, and what is answered: data alone.

Whatever speaks HTTP for the service has to pass them (tests/service/server/test_malformed.py).
Statuses are by RFC 9110 and RFC 9112, whose sections stand beside them.
"""

from dataclasses import dataclass

# The service that is asked takes bodies up to this size.
MOST_BYTES = 100_000
_BODY = b'{"instances": [{"x": [1, 2], "text": "quiet", "shift": 0}]}'
_PATH = b"/v1/models/affine:predict"
_HOST = b"Host: x\r\n"
_LENGTH = b"Content-Length: %d\r\n" % len(_BODY)


@dataclass(frozen=True)
class Malformed:
    """A request and its answer.

    Attributes:
        sent: the bytes of the request.
        status: the answer's.
        ends: whether the connection must end after it; where it must not, it may.
    """

    sent: bytes
    status: int
    ends: bool = True


def _post(*headers: bytes, body: bytes = _BODY, host: bytes = _HOST, line: bytes = b"") -> bytes:
    line = line or b"POST " + _PATH + b" HTTP/1.1"
    return line + b"\r\n" + host + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def _get(line: bytes, *headers: bytes, host: bytes = _HOST) -> bytes:
    return _post(*headers, body=b"", host=host, line=line)


def _chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


_CHUNKED = b"Transfer-Encoding: chunked"
_LENGTH_LINE = _LENGTH.rstrip()
_END = b"0\r\n\r\n"

REQUESTS: dict[str, Malformed] = {
    # The request line (9112, 3).
    "no version": Malformed(_get(b"GET /livez"), 400),
    "version 0.9": Malformed(_get(b"GET /livez HTTP/0.9"), 400),
    "version 2.0": Malformed(_get(b"GET /livez HTTP/2.0"), 400),
    "version in lower case": Malformed(_get(b"GET /livez http/1.1"), 400),
    "two spaces": Malformed(_get(b"GET  /livez HTTP/1.1"), 400),
    "a tab": Malformed(_get(b"GET\t/livez HTTP/1.1"), 400),
    "a space behind": Malformed(_get(b"GET /livez HTTP/1.1 "), 400),
    "a space in the target": Malformed(_get(b"GET /li vez HTTP/1.1"), 400),
    "method in lower case": Malformed(_get(b"get /livez HTTP/1.1"), 400),
    "no method": Malformed(_get(b" /livez HTTP/1.1"), 400),
    "a method of no letters": Malformed(_get(b"G(T /livez HTTP/1.1"), 400),
    "an unknown method": Malformed(_get(b"BREW /livez HTTP/1.1"), 405, ends=False),
    "a relative target": Malformed(_get(b"GET livez HTTP/1.1"), 400),
    "an asterisk": Malformed(_get(b"GET * HTTP/1.1"), 400),
    "NUL in the target": Malformed(_get(b"GET /li\0vez HTTP/1.1"), 400),
    "bytes in the target": Malformed(_get(b"GET /liv\xc3\xa9z HTTP/1.1"), 400),
    "a long target": Malformed(_get(b"GET /" + b"x" * 10_000 + b" HTTP/1.1"), 414),
    "TLS": Malformed(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "absolute form": Malformed(_get(b"GET http://x/livez HTTP/1.1"), 200, ends=False),
    "absolute form in capitals": Malformed(_get(b"GET HTTP://x/livez HTTP/1.1"), 200, ends=False),
    "absolute form of no host": Malformed(_get(b"GET http://[/livez HTTP/1.1"), 404, ends=False),
    # Lines (9112, 2.2).
    "bare LF": Malformed(b"GET /livez HTTP/1.1\nHost: x\n\n", 400),
    "bare LF in the head": Malformed(b"GET /livez HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    "bare CR in a header": Malformed(_get(b"GET /livez HTTP/1.1", b"A: b\rc"), 400),
    # Headers (9112, 5; 9110, 5.5).
    "a header without a colon": Malformed(_get(b"GET /livez HTTP/1.1", b"Nothing"), 400),
    "a header without a name": Malformed(_get(b"GET /livez HTTP/1.1", b": x"), 400),
    "a space before the colon": Malformed(_get(b"GET /livez HTTP/1.1", b"A : b"), 400),
    "a space before the name": Malformed(_get(b"GET /livez HTTP/1.1", b" A: b"), 400),
    "a folded header": Malformed(_get(b"GET /livez HTTP/1.1", b"A: b", b" c"), 400),
    "NUL in a header": Malformed(_get(b"GET /livez HTTP/1.1", b"A: b\0c"), 400),
    "NUL in a name": Malformed(_get(b"GET /livez HTTP/1.1", b"A\0: b"), 400),
    "a control character": Malformed(_get(b"GET /livez HTTP/1.1", b"A: b\x01"), 400),
    "a long header": Malformed(_get(b"GET /livez HTTP/1.1", b"A: " + b"x" * 9_000), 431),
    "many headers": Malformed(_get(b"GET /livez HTTP/1.1", *[b"A: b"] * 200), 431),
    "a long head": Malformed(
        _get(b"GET /livez HTTP/1.1", *[b"A: " + b"x" * 8_000] * 20), 431, False
    ),
    "a strange expectation": Malformed(_post(_LENGTH_LINE, b"Expect: miracles"), 417, False),
    # Host (9112, 3.2).
    "no host": Malformed(_get(b"GET /livez HTTP/1.1", host=b""), 400, ends=False),
    "no host, to predict": Malformed(_post(_LENGTH_LINE, host=b""), 400, ends=False),
    "no host in 1.0": Malformed(_get(b"GET /livez HTTP/1.0", host=b""), 200),
    "two hosts": Malformed(_get(b"GET /livez HTTP/1.1", b"Host: y"), 400),
    "two hosts in one": Malformed(_get(b"GET /livez HTTP/1.1", host=b"Host: x, y\r\n"), 400, False),
    "a host with a path": Malformed(
        _get(b"GET /livez HTTP/1.1", host=b"Host: x/y\r\n"), 400, False
    ),
    "a host with a user": Malformed(
        _get(b"GET /livez HTTP/1.1", host=b"Host: u@x\r\n"), 400, False
    ),
    "an empty host": Malformed(_get(b"GET /livez HTTP/1.1", host=b"Host:\r\n"), 200, ends=False),
    "an IPv6 host": Malformed(_get(b"GET /livez HTTP/1.1", host=b"Host: [::1]:80\r\n"), 200, False),
    # Length (9112, 6.2 and 6.3).
    "two lengths": Malformed(_post(_LENGTH_LINE, _LENGTH_LINE), 400),
    "two lengths that differ": Malformed(_post(_LENGTH_LINE, b"Content-Length: 5"), 400),
    "two lengths in one": Malformed(_post(b"Content-Length: 5, 5"), 400),
    "a signed length": Malformed(_post(b"Content-Length: +%d" % len(_BODY)), 400),
    "a negative length": Malformed(_post(b"Content-Length: -1"), 400),
    "a length in hexadecimal": Malformed(_post(b"Content-Length: 0x3b"), 400),
    "a length with a space": Malformed(_post(b"Content-Length: 5 9"), 400),
    "no number": Malformed(_post(b"Content-Length: many"), 400),
    "an empty length": Malformed(_post(b"Content-Length:"), 400),
    "a digit of another script": Malformed(_post(b"Content-Length: \xb2"), 400),
    "too large": Malformed(_post(b"Content-Length: %d" % (MOST_BYTES + 1), body=b""), 413),
    "far too large": Malformed(_post(b"Content-Length: " + b"9" * 40, body=b""), 413),
    # Transfer-Encoding (9112, 6.1 and 7).
    "length and chunks": Malformed(_post(_LENGTH_LINE, _CHUNKED, body=_END), 400),
    "chunks and length": Malformed(_post(_CHUNKED, _LENGTH_LINE, body=_END), 400),
    "chunks in 1.0": Malformed(_post(_CHUNKED, body=_END, line=b"POST / HTTP/1.0"), 400),
    "gzip, then chunks": Malformed(
        _post(b"Transfer-Encoding: gzip, chunked", body=_chunks(_BODY) + _END), 501
    ),
    "gzip, then chunks, elsewhere": Malformed(
        _get(b"GET /livez HTTP/1.1", b"Transfer-Encoding: gzip, chunked") + _END, 501
    ),
    "gzip alone": Malformed(_post(b"Transfer-Encoding: gzip"), 400),
    "chunks, then gzip": Malformed(_post(b"Transfer-Encoding: chunked, gzip", body=_END), 400),
    "chunks in chunks": Malformed(_post(b"Transfer-Encoding: chunked, chunked", body=_END), 400),
    "an unknown coding": Malformed(_post(b"Transfer-Encoding: magic, chunked", body=_END), 501),
    "chunked in quotes": Malformed(_post(b'Transfer-Encoding: "chunked"', body=_END), 501),
    "an empty coding": Malformed(_post(b"Transfer-Encoding:", body=_END), 501),
    "a chunk without a size": Malformed(_post(_CHUNKED, body=b"\r\nabc\r\n" + _END), 400),
    "a chunk of no number": Malformed(_post(_CHUNKED, body=b"xyz\r\nabc\r\n" + _END), 400),
    "a signed chunk": Malformed(_post(_CHUNKED, body=b"+3\r\nabc\r\n" + _END), 400),
    "a chunk in 0x": Malformed(_post(_CHUNKED, body=b"0x3\r\nabc\r\n" + _END), 400),
    "a chunk that is longer": Malformed(_post(_CHUNKED, body=b"2\r\nabc\r\n" + _END), 400),
    "a chunk with bare LF": Malformed(_post(_CHUNKED, body=b"3\nabc\n0\n\n" + b"\r\n"), 400),
    "a wrong extension": Malformed(_post(_CHUNKED, body=b"3;\x01\r\nabc\r\n" + _END), 400),
    "a long chunk line": Malformed(_post(_CHUNKED, body=b"3;" + b"x" * 20_000), 400),
    "chunks beyond the limit": Malformed(
        # Of a chunk that is announced as a gigabyte no more is sent.
        _post(_CHUNKED, body=b"40000000\r\n" + b" " * (MOST_BYTES + 1)),
        413,
    ),
    "small chunks beyond the limit": Malformed(
        _post(_CHUNKED, body=_chunks(b" " * 1000) * (MOST_BYTES // 1000 + 1)), 413
    ),
    "a trailer with a length": Malformed(
        _post(_CHUNKED, body=_chunks(_BODY) + b"0\r\nContent-Length: 5\r\n\r\n"), 400
    ),
    # 100 Continue (9110, 10.1.1): none before a refusal.
    "too large, and waits": Malformed(
        _post(b"Content-Length: %d" % (MOST_BYTES + 1), b"Expect: 100-continue", body=b""), 413
    ),
    "no such model, and waits": Malformed(
        _post(
            _LENGTH_LINE,
            b"Expect: 100-continue",
            body=b"",
            line=b"POST /v1/models/none:predict HTTP/1.1",
        ),
        404,
    ),
    "a strange coding, and waits": Malformed(
        _post(_LENGTH_LINE, b"Content-Encoding: br", b"Expect: 100-continue", body=b""), 415
    ),
    # What is right, however it looks.
    "chunks": Malformed(_post(_CHUNKED, body=_chunks(_BODY[:9], _BODY[9:]) + _END), 200, False),
    "chunks in capitals": Malformed(
        _post(b"transfer-encoding: CHUNKED", body=_chunks(_BODY) + _END), 200, False
    ),
    "an empty line before": Malformed(b"\r\n" + _get(b"GET /livez HTTP/1.1"), 200, ends=False),
    "a body that came unasked": Malformed(
        _post(_LENGTH_LINE, b"Expect: 100-continue"), 200, ends=False
    ),
}
