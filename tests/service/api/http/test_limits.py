"""Packed bodies, deadlines and full queues, on the loop and by Flask's routes."""

import gzip
import json
import re
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.runtime.servable import Servable
from tests.savedmodels.affine import publish_affine
from tests.service.conftest import MakeApp
from tests.waiting import eventually

URL = "/v1/models/affine:predict"
BODY = json.dumps({"instances": [{"x": [1, 2], "text": "quiet"}]}).encode()
LARGE = json.dumps({"instances": [{"x": [1, 2], "text": "quiet"}] * 200}).encode()


def post(client: FlaskClient, body: bytes, **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(URL, data=body, headers={"Content-Type": "application/json", **names})


def pack(body: bytes) -> bytes:
    """Pack without the time of day, which would make the tests' names change."""
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (BODY, "identity"),
        (pack(BODY), "gzip"),
        (pack(BODY), "GZIP"),
        (zlib.compress(BODY), "deflate"),
    ],
)
def test_packed_requests(client: FlaskClient, body: bytes, encoding: str) -> None:
    answer = post(client, body, Content_Encoding=encoding)
    assert answer.json == post(client, BODY).json
    assert answer.status_code == 200


def test_a_request_packed_in_several_members(client: FlaskClient) -> None:
    body = pack(BODY[:20]) + pack(BODY[20:])
    assert post(client, body, Content_Encoding="gzip").json == post(client, BODY).json


class CountingZlib:
    """zlib that counts the bytes it is given; it copies what lies beyond a member's end."""

    error = zlib.error
    given = 0

    @classmethod
    def decompressobj(cls, window: int) -> Any:
        member = zlib.decompressobj(window)

        class Member:
            @property
            def eof(self) -> bool:
                return member.eof

            @property
            def unused_data(self) -> bytes:
                return member.unused_data

            def decompress(self, data: bytes, most: int) -> bytes:
                cls.given += len(data)
                return member.decompress(data, most)

        return Member()


def test_many_tiny_members_are_not_copied_again_for_each(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.http.request_body.zlib", CountingZlib)
    monkeypatch.setattr(CountingZlib, "given", 0)
    body = pack(b"") * 4_000 + pack(BODY)
    assert post(client, body, Content_Encoding="gzip").json == post(client, BODY).json
    # Given all that is left at each member it would be 2,000 times the body.
    assert CountingZlib.given < 20 * len(body)


@pytest.mark.parametrize("name", ["x-gzip", "X-GZip", "GZIP"])
def test_the_other_names_of_gzip_mean_gzip(client: FlaskClient, name: str) -> None:
    answer = post(client, pack(BODY), Content_Encoding=name)
    assert (answer.status_code, answer.json) == (200, post(client, BODY).json)


@pytest.mark.parametrize(
    ("body", "encoding", "status", "error"),
    [
        (BODY, "br", 415, "Expected a Content-Encoding of gzip, deflate or identity, not 'br'."),
        (BODY, "gzip", 400, "The body is not gzip, as its Content-Encoding says."),
        (pack(BODY)[:-9], "gzip", 400, "The body is not whole: its gzip data ends early."),
        (
            pack(BODY) + b"x",
            "gzip",
            400,
            "The body is not whole: its gzip data ends early.",
        ),
        (zlib.compress(BODY), "gzip", 400, "The body is not gzip, as its Content-Encoding says."),
        (pack(BODY), "deflate", 400, "The body is not deflate, as its Content-Encoding says."),
        (
            zlib.compress(BODY)[:-5],
            "deflate",
            400,
            "The body is not whole: its deflate data ends early.",
        ),
        (zlib.compress(bytes(10**8)), "deflate", 413, "The body is larger than 100000 bytes."),
        (pack(bytes(10**8)), "gzip", 413, "The body is larger than 100000 bytes."),
        (pack(bytes(60_000)) * 2, "gzip", 413, "The body is larger than 100000 bytes."),
        (b" " * 100_001, "identity", 413, "The body is larger than 100000 bytes."),
        (b"", "gzip", 400, "JSON Parse error: The document is empty."),
    ],
)
def test_bodies_that_cannot_be_unpacked(
    client: FlaskClient, body: bytes, encoding: str, status: int, error: str
) -> None:
    answer = post(client, body, Content_Encoding=encoding)
    assert (answer.status_code, answer.json["error"]) == (status, error)


def test_the_limit_holds_for_what_is_unpacked_exactly(client: FlaskClient) -> None:
    body = BODY + b" " * (100_000 - len(BODY))
    assert post(client, pack(body), Content_Encoding="gzip").status_code == 200
    assert post(client, pack(body + b" "), Content_Encoding="gzip").status_code == 413


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "br, GZIP", "x-gzip"])
def test_large_answers_are_packed_when_asked_for(client: FlaskClient, accepted: str) -> None:
    answer = post(client, LARGE, Accept_Encoding=accepted)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert gzip.decompress(answer.data) == post(client, LARGE).data


def test_deflate_is_second_choice(client: FlaskClient) -> None:
    answer = post(client, LARGE, Accept_Encoding="deflate, gzip;q=0")
    assert answer.headers["Content-Encoding"] == "deflate"
    assert zlib.decompress(answer.data) == post(client, LARGE).data


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.000", "identity"])
def test_answers_are_not_packed_unasked(client: FlaskClient, accepted: str) -> None:
    answer = post(client, LARGE, Accept_Encoding=accepted)
    assert "Content-Encoding" not in answer.headers
    assert len(answer.json["predictions"]) == 200


def test_small_answers_are_not_packed(client: FlaskClient) -> None:
    assert "Content-Encoding" not in post(client, BODY, Accept_Encoding="gzip").headers


@pytest.mark.parametrize("told", ["0", "-1", "soon", "nan", ""])
def test_a_deadline_is_a_number_of_milliseconds(client: FlaskClient, told: str) -> None:
    answer = post(client, BODY, X_Request_Timeout_Ms=told)
    assert answer.status_code == 400
    assert answer.json["error"] == (
        f"X-Request-Timeout-Ms: expected a number of milliseconds above 0, not {told!r}."
    )


def test_a_client_may_be_in_a_hurry(client: FlaskClient) -> None:
    assert post(client, BODY, X_Request_Timeout_Ms="0.0001").status_code == 504
    assert post(client, BODY, X_Request_Timeout_Ms="60000").status_code == 200
    assert post(client, BODY, X_Request_Timeout_Ms="inf").status_code == 200


class Held:
    """Holds predictions up until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()
        predict = Servable.predict

        def held(servable: Servable, *args: Any) -> Any:
            self.entered.release()
            assert self.go.wait(30)
            return predict(servable, *args)

        monkeypatch.setattr(Servable, "predict", held)

    def begin(self) -> None:
        """Hold up what is asked from now on."""
        self.go.clear()
        self.entered = threading.Semaphore(0)


def in_flight(app: Flask) -> float:
    """Return how many requests are under way, without the one that asks."""
    found = re.search(
        r"\nunderstudy_requests_in_flight (\S+)", app.test_client().get("/metrics").text
    )
    assert found
    return float(found[1]) - 1


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go.set()


def test_a_full_queue_says_when_to_come_back(make_app: MakeApp, tmp_path: Any, held: Held) -> None:
    publish_affine(tmp_path / "models", bias=0.0)
    held.go.set()  # While it warms up.
    app = make_app(max_queue=2)
    held.begin()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(app.test_client(), BODY)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    # One runs, the other waits behind it.
    assert held.entered.acquire(timeout=30)
    eventually(lambda: in_flight(app) == 2)
    refusal = post(app.test_client(), BODY)
    assert refusal.status_code == 503
    assert refusal.headers["Retry-After"] == "1"
    assert refusal.json == {
        "error": "Too many predictions are under way for model 'affine': 2, which is the limit.",
        "code": "UNAVAILABLE",
    }
    # Health and metrics are no predictions.
    assert app.test_client().get("/readyz").status_code == 200
    assert 'status="503"' in app.test_client().get("/metrics").text
    held.go.set()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert post(app.test_client(), BODY).status_code == 200
