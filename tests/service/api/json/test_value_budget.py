"""Bodies of very many values are refused before a Python object is made of each."""

import functools
import gzip
import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from service.api.http import request_body as body_module
from service.api.json import json_arrays
from service.api.json.value_budget import ValueBudget, admit_numbers, admit_text
from service.api.request_limits import Limits
from service.errors import ServiceError
from service.repository.contract import Field, Signature
from service.settings.settings import Settings
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.plain import publish_plain_bodies
from tests.savedmodels.shapes import save_shapes
from tests.service.conftest import served

PREDICT = "/v1/models/affine:predict"
INFER = "/v2/models/affine/infer"
ROWS = 50_000
# Of a body that is not refused for its size.
LARGEST = (32 << 20) - 1000
TINY = [b"[]", b"{}", b'""', b'"x"', b"1", b"null", b"[[]]", b'{"a":1}', b'{"x":[]}']


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_plain_bodies(root)
    save_shapes(root / "shapes" / "1")
    with served(root, request.param, max_rows=ROWS) as client:
        yield client


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of the texts that become Python objects."""
    sizes: list[int] = []

    class Counting:
        JSONDecodeError = orjson.JSONDecodeError
        dumps = staticmethod(orjson.dumps)

        @staticmethod
        def loads(text: bytes) -> Any:
            sizes.append(len(text))
            return orjson.loads(text)

    monkeypatch.setattr(json_arrays, "orjson", Counting)
    monkeypatch.setattr(body_module, "orjson", Counting)
    return sizes


def many(value: bytes, count: int = 3_000_000) -> bytes:
    # A list of so many would be most of the time that these tests take.
    return (value + b",") * (count - 1) + value


# Packing takes as long as asking, and both clients send the same.
@functools.cache
def packed(frame: bytes, value: bytes) -> bytes:
    """Return the largest body of a value again and again within a frame, packed."""
    count = LARGEST // (len(value) + 1)
    return gzip.compress(frame % many(value, count), 1, mtime=0)


@pytest.mark.parametrize(
    ("path", "frame", "value"),
    [
        *((PREDICT, b'{"instances":[%b,"x"]}', value) for value in TINY),
        (PREDICT, b'{"inputs":{"x":[%b,"x"]}}', b"[]"),
        (PREDICT, b'{"instances":[1],"more":[%b,"x"]}', b"{}"),
        (INFER, b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[%b,"x"]}]}', b"1"),
        (INFER, b'{"inputs":[%b,"x"]}', b"[]"),
        ("/v1/models/affine:classify", b'{"examples":[%b,"x"]}', b"{}"),
    ],
)
def test_many_tiny_values(
    client: FlaskClient, parsed: list[int], path: str, frame: bytes, value: bytes
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.post(path, data=packed(frame, value), headers=headers)
    assert answer.status_code == 413
    assert "values, the most that a request of 50000 rows can have here" in answer.json["error"]
    assert not parsed


def test_many_numbers_that_are_wrong_do_not_become_objects(
    client: FlaskClient, parsed: list[int]
) -> None:
    body = b'{"inputs":{"x":[%b]}}' % many(b"1")
    answer = client.post(PREDICT, data=body)
    assert answer.status_code == 413
    assert max(parsed) < 100


def test_a_text_of_commas_and_brackets_is_one_value(client: FlaskClient) -> None:
    text = ',[{"\\' * 1_500_000
    body = json.dumps({"instances": [{"x": [1, 2], "text": text, "shift": 0}]})
    answer = client.post(PREDICT, data=body)
    # It is read, and found not to be one of those that are allowed.
    assert answer.status_code == 400
    assert "instances[0].text: Expected one of" in answer.json["error"]


def test_what_a_contract_allows_is_parsed(client: FlaskClient) -> None:
    row = {"x": [1, 2], "text": "quiet", "shift": 0}
    body = json.dumps({"instances": [row] * ROWS})
    answer = client.post(PREDICT, data=body)
    assert answer.status_code == 200
    assert len(answer.json["predictions"]) == ROWS


def test_a_row_too_many_is_still_named(client: FlaskClient) -> None:
    row = {"x": [1, 2], "text": "quiet", "shift": 0}
    answer = client.post(PREDICT, data=json.dumps({"instances": [row] * (ROWS + 1)}))
    assert answer.status_code == 400
    assert "Expected at most 50000 rows in one request, not 50001" in answer.json["error"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_no_request_at_all(client: FlaskClient, parsed: list[int], kind: str) -> None:
    body = b'{"no request":[%b]}' % many(b"[]", 5_000_000)
    answer = client.post(PREDICT, data=body, headers={"Content-Type": kind})
    assert answer.status_code in (413, 415, 400)
    assert not parsed


def test_memory_of_a_refused_body_is_a_few_times_its_size(client: FlaskClient) -> None:
    body = b'{"instances":[%b]}' % many(b"[]")
    tracemalloc.start()
    try:
        client.post(PREDICT, data=body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(body)


CONTRACT = {"f": Signature("f", (Field(name="x", dtype="float32", shape=(None,)),), ())}


def budget() -> ValueBudget:
    return ValueBudget(Limits.from_settings(Settings(max_rows=300_000, max_body_bytes=32 << 20)))


def test_only_one_body_of_many_values_is_in_work_at_a_time() -> None:
    values, inside, most = budget(), 0, 0
    lock = threading.Lock()
    text = many(b"1", 300_000)

    def work(_: int) -> None:
        nonlocal inside, most
        with values.bound(len(text), CONTRACT):
            admit_text(text)
            # A second look at the same body waits for nobody.
            admit_numbers(300_000)
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.01)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert most == 1


def test_bodies_of_few_values_wait_for_nobody() -> None:
    values = budget()
    text = many(b"1", 300_000)
    with values.bound(len(text), CONTRACT):
        admit_text(text)

        def other() -> None:
            few = many(b"1", 60_000)
            with values.bound(len(few), CONTRACT):
                admit_text(few)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(other).result(30)


def test_a_refused_body_lets_the_next_one_in() -> None:
    values = budget()
    text = many(b"[]", 3_000_000)
    for _ in range(2):
        with pytest.raises(ServiceError, match="more than 1800000 values"):
            admit(values, text)


def admit(values: ValueBudget, text: bytes) -> None:
    with values.bound(len(text), CONTRACT):
        admit_text(text)


def test_a_contract_that_leaves_sizes_open_is_bounded_by_the_body() -> None:
    values = budget()
    contract = {"f": Signature("f", (Field(name="x", dtype="float32", shape=(None, None)),), ())}
    with values.bound(1 << 20, contract):
        admit_numbers((32 << 20) // 8)
        with pytest.raises(ServiceError, match="more than 4194304 values"):
            admit_numbers((32 << 20) // 8 + 1)


def test_bodies_of_other_endpoints_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"more than 1000000 values\."):
        admit_text(many(b"[]"))
