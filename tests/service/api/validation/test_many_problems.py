"""A request with far more problems than are listed: no more are made than the answer needs."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient

from service.api.validation.problems import Problems
from service.api.validation.truths import check_truths, read_truths
from service.errors import InvalidRequestError
from service.repository.contract import Field, Signature
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.plain import publish_plain_bodies
from tests.service.conftest import served

LIMIT = 5
PREDICT = "/v1/models/affine:predict"
INFER = "/v2/models/affine/infer"
CLASSIFY = "/v1/models/affine:regress"
ROW = {"x": [1, 2], "text": "quiet", "shift": 0}
COLUMNS = {"x": [[1, 2]], "text": ["quiet"], "shift": [0]}


@pytest.fixture(scope="module", params=["loop", "flask"])
def client(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[FlaskClient]:
    root = tmp_path_factory.mktemp("models")
    publish_affine(root)
    publish_plain_bodies(root)
    with served(root, request.param, max_errors=LIMIT) as client:
        yield client


def keys(count: int, value: Any = 1, prefix: str = "k") -> dict[str, Any]:
    return {f"{prefix}{i:07}": value for i in range(count)}


def tensor(**more: Any) -> dict[str, Any]:
    return {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2], **more}


def others(count: int) -> list[dict[str, Any]]:
    """Return the other inputs of ``affine``, without anything wrong."""
    return [
        {"name": "text", "shape": [count], "datatype": "BYTES", "data": ["quiet"] * count},
        {"name": "shift", "shape": [count], "datatype": "FP32", "data": [0] * count},
    ]


# What has as many problems as it is told to have, by place in the protocol.
MANY: dict[str, tuple[str, Callable[[int], Any]]] = {
    "envelope": (PREDICT, lambda n: {"instances": [ROW], **keys(n)}),
    "envelope, nothing known": (PREDICT, keys),
    "keys of an instance": (PREDICT, lambda n: {"instances": [{**ROW, **keys(n)}]}),
    "keys of a later instance": (PREDICT, lambda n: {"instances": [ROW, {**ROW, **keys(n)}]}),
    "instances": (PREDICT, lambda n: {"instances": [ROW, *[1] * n]}),
    "instances that lack all": (PREDICT, lambda n: {"instances": [ROW, *[{}] * n]}),
    "instances with one key more": (PREDICT, lambda n: {"instances": [{**ROW, "z": 1}] * n}),
    "values": (PREDICT, lambda n: {"instances": [{**ROW, "x": "one"}] * n}),
    "columns": (PREDICT, lambda n: {"inputs": {**COLUMNS, **keys(n)}}),
    "examples envelope": (CLASSIFY, lambda n: {"examples": [ROW], **keys(n)}),
    "examples": (CLASSIFY, lambda n: {"examples": [{**ROW, **keys(n)}]}),
    "examples that are none": (CLASSIFY, lambda n: {"examples": [1] * n}),
    "context": (CLASSIFY, lambda n: {"context": keys(n), "examples": [ROW] * 100}),
    "v2 envelope": (INFER, lambda n: {"inputs": [tensor()], **keys(n)}),
    "v2 input's keys": (INFER, lambda n: {"inputs": [tensor(**keys(n))]}),
    "v2 inputs that are none": (INFER, lambda n: {"inputs": [tensor(), *[1] * n]}),
    "v2 inputs with nulls": (
        INFER,
        lambda n: {"inputs": [tensor(name=f"i{i}", parameters=None) for i in range(n)]},
    ),
    "v2 inputs unknown": (INFER, lambda n: {"inputs": [tensor(name=f"i{i}") for i in range(n)]}),
    "v2 inputs twice": (INFER, lambda n: {"inputs": [tensor()] * (n + 1)}),
    "v2 values": (
        INFER,
        lambda n: {"inputs": [tensor(shape=[n, 2], data=[1, 500] * n), *others(n)]},
    ),
    "v2 values in lists": (
        INFER,
        lambda n: {"inputs": [tensor(shape=[n, 2], data=[[1, 500]] * n), *others(n)]},
    ),
    "v2 outputs unknown": (
        INFER,
        lambda n: {"inputs": [tensor()], "outputs": [{"name": f"i{i}"} for i in range(n)]},
    ),
    "v2 outputs' keys": (
        INFER,
        lambda n: {"inputs": [tensor()], "outputs": [{"name": "y", **keys(n)}]},
    ),
    "v2 outputs that are none": (INFER, lambda n: {"inputs": [tensor()], "outputs": [1] * n}),
    "v2 parameters": (
        INFER,
        lambda n: {"inputs": [tensor()], "parameters": keys(n, prefix="triton_")},
    ),
}


def refused(client: FlaskClient, path: str, body: bytes, **options: Any) -> dict[str, Any]:
    answer = client.post(path, data=body, **options)
    assert answer.status_code == 400, answer.data[:300]
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize("case", MANY)
@pytest.mark.parametrize("count", [LIMIT + 1, 2000])
def test_it_lists_the_first_of_many_and_says_so(client: FlaskClient, case: str, count: int) -> None:
    path, make = MANY[case]
    found = refused(client, path, orjson.dumps(make(count)))
    assert f"(The first of more than {LIMIT} problems.)" in found["error"]
    assert len(found["details"]) == LIMIT
    # More of the same change nothing.
    again = refused(client, path, orjson.dumps(make(count + 1000)))
    assert again == found
    assert list(again["details"]) == list(found["details"])


@pytest.mark.parametrize("is_raw", [False, True], ids=["binary", "raw"])
@pytest.mark.parametrize("count", [LIMIT, LIMIT + 1, 600])
def test_values_as_bytes(client: FlaskClient, count: int, is_raw: bool) -> None:
    pictures = -(-count // 6)
    # No more than ``count`` of them are out of range.
    values = np.array([300] * count + [0] * (6 * pictures - count), np.float32).tobytes()
    item = {"name": "image", "shape": [pictures, 2, 3], "datatype": "FP32"}
    item["parameters"] = {"binary_data_size": len(values)}
    head = b"" if is_raw else orjson.dumps({"inputs": [item]})
    found = refused(
        client,
        "/v2/models/album/infer",
        head + values,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    more = "more than " if count > LIMIT else ""
    assert f"(The first of {more}{LIMIT} problems.)" in found["error"]
    assert len(found["details"]) == LIMIT


@pytest.mark.parametrize("count", [LIMIT, LIMIT + 1, 600])
def test_values_of_a_truth(count: int) -> None:
    output = Field(name="y", dtype="float32", shape=(None, None))
    contract = {"serving_default": Signature("serving_default", (), (output,))}
    event: Any = SimpleNamespace(instances=2, version=1, signature="serving_default")
    body = {"feedback": [{"id": "a", "truth": {"y": ["no"] * count}}]}
    sent = read_truths(body, limit=LIMIT)
    with pytest.raises(InvalidRequestError) as caught:
        check_truths(sent, lambda _: event, lambda _: contract, limit=LIMIT)
    more = "more than " if count > LIMIT else ""
    assert str(caught.value).endswith(f"(The first of {more}{LIMIT} problems.)")


@pytest.mark.parametrize("case", MANY)
def test_it_makes_no_more_problems_than_it_lists(
    client: FlaskClient, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is collected to be listed is no longer for many problems than for some."""
    path, make = MANY[case]
    made: list[int] = []
    real = Problems.error

    def counting(found: Problems) -> Any:
        made.append(len(found))
        return real(found)

    monkeypatch.setattr(Problems, "error", counting)
    refused(client, path, orjson.dumps(make(3000)))
    # A few more where the last item that is looked at has several, or several inputs have some.
    assert made
    assert max(made) <= 8 * (LIMIT + 1)


def test_an_answer_names_what_is_wrong_first_in_an_instance(client: FlaskClient) -> None:
    body = orjson.dumps({"instances": [{**keys(1000), "text": "quiet", "shift": 0}]})
    found = refused(client, PREDICT, body)
    assert list(found["details"]) == [f"instances[0].k000000{i}" for i in range(LIMIT)]


@pytest.mark.parametrize(
    ("path", "body", "places"),
    [
        (PREDICT, {"instances": [ROW]}, ["{}"]),
        (PREDICT, {}, ["{}", "body"]),
        (PREDICT, {"inputs": COLUMNS}, ["inputs.{}"]),
        (CLASSIFY, {"examples": [ROW]}, ["{}"]),
        (INFER, {"inputs": [tensor()]}, ["{}"]),
        (INFER, {"inputs": [tensor()]}, ["inputs[0].{}"]),
        (INFER, {"inputs": [tensor()], "outputs": [{"name": "y"}]}, ["outputs[0].{}"]),
    ],
)
def test_keys_that_are_unknown_come_by_name(
    client: FlaskClient, path: str, body: dict[str, Any], places: list[str]
) -> None:
    """In each process: of a set, each has its own order."""
    names = ["d", "b", "e", "a", "c"][: LIMIT + 1 - len(places)]
    unknown = dict.fromkeys(names, 1)
    body = orjson.loads(orjson.dumps(body))
    place, *others = places
    if "." in place:
        inner = body[place.partition("[")[0].partition(".")[0]]
        (inner[0] if "[" in place else inner).update(unknown)
    else:
        body |= unknown
    found = refused(client, path, orjson.dumps(body))
    assert list(found["details"]) == [*map(place.format, sorted(names)), *others]


def test_long_names_that_begin_alike_count_once(client: FlaskClient) -> None:
    long = keys(50, prefix="l" * 100)
    for body, place in (
        ({"instances": [ROW], **long, "z": 1}, ""),
        ({"instances": [{**ROW, **long, "z": 1}]}, "instances[0]."),
        ({"inputs": {**COLUMNS, **long, "z": 1}}, "inputs."),
    ):
        found = refused(client, PREDICT, orjson.dumps(body))
        assert set(found["details"]) == {f"{place}{'l' * 100}", f"{place}z"}
        assert "(The first of 2 problems.)" in found["error"]


@pytest.mark.parametrize("header", [",".join(keys(3000)), ",".join(["mpg"] * 3000)])
def test_columns_of_a_table(client: FlaskClient, header: str) -> None:
    options = {"content_type": "text/csv"}
    found = refused(client, "/v1/models/cars:predict", f"{header}\n1\n".encode(), **options)
    assert "column" in found["error"]
    assert len(found["details"]) <= LIMIT


def test_a_context_is_not_repeated_without_end(client: FlaskClient) -> None:
    context = {"text": "t" * 100_000}
    body = {"context": context, "examples": [{"x": [1, 2]}] * 10_000}
    found = refused(client, CLASSIFY, orjson.dumps(body))
    assert found["details"] == {
        "context": [
            "Repeated in each of 10000 examples it comes to 1000120000 characters, and 268435456 "
            "are allowed; send fewer examples at once."
        ]
    }


def test_nulls_in_a_v2_request_are_as_good_as_nothing(client: FlaskClient) -> None:
    body = {
        "id": None,
        "parameters": None,
        "outputs": None,
        "inputs": [
            tensor(parameters=None),
            {
                "name": "text",
                "shape": [1],
                "datatype": "BYTES",
                "data": ["quiet"],
                "parameters": None,
            },
            {"name": "shift", "shape": [1], "datatype": "FP32", "data": [0], "parameters": None},
        ],
    }
    answer = client.post(INFER, data=orjson.dumps(body))
    assert answer.status_code == 200, answer.data


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", '""'),
        (" ", '" "'),
        ("x ", '"x "'),
        ("a\nb", '"a\\nb"'),
        ("​", '"\\u200b"'),
        ("a b", "a b"),
        ("a.b", "a.b"),
        ("größe", "größe"),
        ("n" * 200, "n" * 100),
    ],
)
def test_a_name_that_cannot_be_seen_is_quoted(client: FlaskClient, name: str, shown: str) -> None:
    """An error would name a place that nobody finds, such as ``instances[0].``."""
    for body, path in (
        ({"instances": [ROW], name: 1}, shown),
        ({"instances": [{**ROW, name: 1}]}, f"instances[0].{shown}"),
        ({"inputs": {**COLUMNS, name: [1]}}, f"inputs.{shown}"),
    ):
        response = client.post(PREDICT, json=body)
        assert response.status_code == 400
        assert list(response.json["details"]) == [path]
