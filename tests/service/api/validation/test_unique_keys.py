"""A name that stands twice is refused wherever clients or files may write one: no value is lost."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from service.api.json.json_arrays import loads
from service.api.validation.unique_keys import check_unique_keys
from service.errors import InvalidRequestError
from service.repository.errors import RepositoryError
from service.repository.json_files import read_object
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.classes import save_half_plus_three
from tests.savedmodels.plain import publish_plain_bodies
from tests.service.conftest import served

TOKEN = {"Authorization": "Bearer secret"}
PREDICT, INFER = "/v1/models/affine:predict", "/v2/models/affine/infer"
ROW = b'"x":[1,2],"text":"loud","shift":0'
X = b'"name":"x","shape":[1,2],"datatype":"FP32"'
LONG = json.dumps([[0.5, 1.5]] * 400).encode()


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_plain_bodies(root)
    save_half_plus_three(root / "halves" / "1")
    events = tmp_path_factory.mktemp("events") / "events.db"
    with served(root, request.param, admin_token="secret", events=str(events)) as client:
        yield client
        client.application.extensions["events"].writer.stop(10)


def only_y(data: bytes) -> bytes:
    return b'{"signature_name":"only_y",%b}' % data


@pytest.mark.parametrize(
    ("url", "body", "path"),
    [
        (PREDICT, b'{"instances":[{%b}],"instances":[{%b}]}' % (ROW, ROW), "instances"),
        (PREDICT, b'{"instances":[{%b},{%b,"shift":0}]}' % (ROW, ROW), "instances[1].shift"),
        (PREDICT, b'{"instances":[{%b, "shift" : 1}]}' % ROW, "instances[0].shift"),
        (PREDICT, b'{"instances":[{%b,"\\u0078":[3,4]}]}' % ROW, "instances[0].x"),
        (PREDICT, b'{"instances":[{%b,"text":"a: \\"b\\": c"}]}' % ROW, "instances[0].text"),
        (PREDICT, b'{"inputs":{"x":[[1,2]],"x":[[1,2]]}}', "inputs.x"),
        (PREDICT, only_y(b'"inputs":%b,"inputs":%b' % (LONG, LONG)), "inputs"),
        (PREDICT, only_y(b'"inputs":%b,"signature_name":"only_y"' % LONG), "signature_name"),
        (PREDICT, b'{"instances":[{"":1,"":2}]}', 'instances[0].""'),
        (INFER, b'{"inputs":[{%b,"data":[1,2],"data":[3,4]}]}' % X, "inputs[0].data"),
        (INFER, b'{"id":"a","id":"b","inputs":[{%b,"data":[1,2]}]}' % X, "id"),
        (
            INFER,
            b'{"inputs":[{%b,"data":[1,2],"parameters":{"a":1,"a":1}}]}' % X,
            "inputs[0].parameters.a",
        ),
        ("/v1/models/halves:classify", b'{"examples":[{"x":1.0,"x":2.0}]}', "examples[0].x"),
        ("/v1/models/halves:regress", b'{"examples":[{"x":1.0}],"examples":[]}', "examples"),
        ("/v1/models/affine:feedback", b'{"request_id":"a","request_id":"b"}', "request_id"),
        ("/v1/models/affine/policy", b'{"serve":"newest","serve":{"only":[1]}}', "serve"),
        ("/v2/repository/models/affine/unload", b'{"parameters":{"a":1,"a":2}}', "parameters.a"),
    ],
)
def test_requests(client: FlaskClient, url: str, body: bytes, path: str) -> None:
    send = client.put if url.endswith("/policy") else client.post
    answer = send(url, data=body, headers=TOKEN, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["error"] == f"{path}: This name stands twice in its object."
    assert answer.json["details"] == {path: ["This name stands twice in its object."]}


def test_the_head_of_a_binary_body(client: FlaskClient) -> None:
    parameters = b'"parameters":{"binary_data_size":8,"binary_data_size":8}'
    head = b'{"inputs":[{%b,%b}]}' % (X, parameters)
    answer = client.post(
        INFER,
        data=head + np.float32([1, 2]).tobytes(),
        headers={"Inference-Header-Content-Length": str(len(head))},
        content_type="application/octet-stream",
    )
    assert answer.status_code == 400
    assert "inputs[0].parameters.binary_data_size: This name" in answer.json["error"]


@pytest.mark.parametrize(
    "url",
    [
        f"{PREDICT}?signature_name=only_y&signature_name=serving_default",
        f"{INFER}?signature_name=only_y&signature_name=only_y",
        "/v1/models/halves:classify?signature_name=a&signature_name=b",
    ],
)
def test_a_query_with_two_signatures(client: FlaskClient, url: str) -> None:
    answer = client.post(url, data=b'{"inputs":[[1,2]]}', content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["error"] == "signature_name: Expected one value in the query, not 2."


def test_a_query_with_two_counts(client: FlaskClient) -> None:
    answer = client.get("/v1/models/affine/audits?count=1&count=2", headers=TOKEN)
    assert answer.status_code == 400
    assert answer.json["error"] == "count: Expected one value in the query, not 2."


@pytest.mark.parametrize(
    "text",
    [
        'a colon: "x": 1, and "x": 2',
        '{"x": 1, "x": 2}',
        "\\",
        '\\": \\": ',
        "http://a.b:8/c?d=e:f" * 4,
    ],
)
@pytest.mark.parametrize("spaces", [None, 1])
def test_colons_in_texts_are_not_names(client: FlaskClient, text: str, spaces: int | None) -> None:
    body = json.dumps({"instances": [text, text]}, indent=spaces)
    answer = client.post("/v1/models/echo:predict", data=body)
    assert answer.status_code == 200, answer.json


def test_the_same_name_in_several_objects_is_no_repetition(client: FlaskClient) -> None:
    body = b'{"signature_name" : "serving_default" ,"instances":[{%b},{%b}]}' % (ROW, ROW)
    assert client.post(PREDICT, data=body).status_code == 200


def made(random: np.random.Generator, depth: int) -> tuple[str, bool]:
    """Return a random JSON text, and whether a name stands twice in one of its objects."""
    kind = random.integers(0 if depth < 4 else 4, 6 if depth else 4)
    if kind == 0:
        return str(random.choice(['"a"', '"a:"', '"\\":"', '"\\\\"', '""', '" : "'])), False
    if kind <= 3:
        return str(random.choice(["1", "-2.5", "null", "true", LONG.decode()])), False
    parts = [made(random, depth - 1) for _ in range(random.integers(4))]
    twice = any(each for _, each in parts)
    if kind == 4:
        return f"[{', '.join(text for text, _ in parts)}]", twice
    names = [str(random.choice(["a", "b", "c:", "", '\\"', "d\\\\"])) for _ in parts]
    space = " " * random.integers(2)
    members = [
        f'"{name}"{space}:{space}{text}' for name, (text, _) in zip(names, parts, strict=True)
    ]
    return f"{{{','.join(members)}}}", twice or len(set(names)) < len(names)


def test_every_repetition_is_found_and_nothing_else() -> None:
    random = np.random.default_rng(11)
    found = 0
    for _ in range(3000):
        text, twice = made(random, 4)
        found += twice
        data = text.encode()
        if twice:
            with pytest.raises(InvalidRequestError, match="stands twice"):
                check_unique_keys(data, loads(data))
        else:
            check_unique_keys(data, loads(data))
    assert 300 < found < 2700


def test_a_place_among_many_numbers_takes_no_memory_for_each() -> None:
    numbers = b",".join([b"1"] * 250_000)
    data = b'{"text":"\\":","a":[%b],"b":{"y":1,"y":2},"c":[%b]}' % (numbers, numbers)
    document = loads(data)
    tracemalloc.start()
    with pytest.raises(InvalidRequestError, match=r"b\.y: This name stands twice"):
        check_unique_keys(data, document)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Its list has eight bytes for each, and the text is there as a string as well.
    assert peak < 20 * 500_000


def test_a_text_too_deep_for_python_is_left_to_its_reader() -> None:
    data = b'["\\":", {"a": 1, "a": 2}, %b%b]' % (b"[" * 1000, b"]" * 1000)
    document = loads(data)
    try:
        json.loads(data)
    except RecursionError:
        check_unique_keys(data, document)
    else:  # Python reads deeper texts from 3.12 on.
        with pytest.raises(InvalidRequestError, match=r"\[1\]\.a: This name stands twice"):
            check_unique_keys(data, document)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text('{"serve": "newest", "serve": {"only": [1]}}'),
        lambda path: path.write_text('{"labels": {"serve": 1, "serve": 2}}'),
    ],
)
def test_files(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "policy.json"
    write(path)
    with pytest.raises(RepositoryError, match='is not JSON: "serve" stands twice in one object'):
        read_object(path)
