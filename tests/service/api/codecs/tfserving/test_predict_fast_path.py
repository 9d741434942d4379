"""The fast way from bytes to tensors gives what the reference gives, bit for bit and word for word."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.codecs.tfserving import predict_fast_path, predict_requests
from service.api.json import json_arrays
from service.api.json.json_numbers import NumberArray
from service.errors import InvalidRequestError
from service.repository.contract import Field
from tests.service.api.codecs.tfserving.predict_bodies import (
    CONTRACT,
    bodies,
    body_of,
    check,
    fast,
    outcome,
    signature,
)


@pytest.fixture(autouse=True, scope="module")
def short_arrays_too() -> Iterator[None]:
    """Lift the shortest arrays, so that small bodies take every turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_arrays, "_SHORTEST", 1)
        yield


@settings(max_examples=100, deadline=None)
@given(bodies(0.0))
def test_bodies_of_usual_numbers(body: str) -> None:
    check(body.encode())


@settings(max_examples=150, deadline=None)
@given(bodies(0.1))
def test_bodies_with_oddities(body: str) -> None:
    check(body.encode("utf-8", "surrogatepass"))


@settings(max_examples=150, deadline=None)
@given(bodies(0.02), st.data())
def test_broken_bodies(body: str, data: st.DataObject) -> None:
    text = bytearray(body.encode("utf-8", "surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(text) - 1)))
        match data.draw(st.integers(0, 3)):
            case 0:
                del text[at]
            case 1:
                text[at:at] = data.draw(st.sampled_from(b'[]{}",:\\ 0-.eE')).to_bytes()
            case 2:
                text[at] = data.draw(st.integers(0, 255))
            case 3:
                del text[at:]
        if not text:
            break
    check(bytes(text))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text('[]{}",:\\ 1-.eE', max_size=40).map(str.encode))
def test_any_bytes(body: bytes) -> None:
    check(body)
    check(b'{"inputs":' + body + b',"signature_name":"any"}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs":[[1,2],[3,4]],"signature_name":"any"}',
        b'{"instances":[[[1,2,3],[4,5,6]]],"signature_name":"grid"}',
        b'{"instances":[{"g":[[1,2,3],[4,5,6]]},{"g":[[1,2,3],[4,5,6]]}],"signature_name":"grid"}',
        b' { "inputs" : { "g" : [ [ [1, 2.5e1, 3], [4, 5, 6 ] ] ] } , "signature_name" : "grid" } ',
        b'{"instances":[[1,2.5],[0,0]],"signature_name":"pick"}',
        b'{"inputs":[[1,2],[255,0]],"signature_name":"long"}',
        b'{"instances":[{"x":[1,2,3],"n":1,"m":null,"t":"\\"[1]\\\\","c":"a"},'
        b'{"x":[1,2,3.5],"n":1,"m":2,"t":"\xc3\xa9","c":"b"}]}',
        b'{"inputs":{"x":[[1,2,3]],"n":[1],"t":["[1,2,3]"],"c":["b"]}}',
        b'{"inputs":[[1,2],[3,4]],"signature_name":"fixed"}',
        b'{"instances":["a","b"],"signature_name":"word"}',
        b'{"instances":[{"b64":"AA=="},{"b64":""}],"signature_name":"word"}',
        b'{"instances":[{"w":"a"}],"signature_name":"word"}',
        b'{"instances":[1,2.5],"signature_name":"column"}',
        b'{"instances":[{"k":1},{"k":2}],"signature_name":"column"}',
        b'{"inputs":[[1],[2.5]],"signature_name":"column"}',
        b'{"inputs":{"e":[1,2]},"signature_name":"cell"}',
        b'{"inputs":[[1,2.5],[3,4]],"signature_name":"brain"}',
        b'{"inputs":[1,null,0.1],"signature_name":"brains"}',
        b'{"instances":[{"v":1},{"v":2}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1,"s":1},{"v":2,"s":3}],"signature_name":"scaled"}',
        b'{"inputs":{"v":[[1]]},"signature_name":"scaled"}',
        b'{"inputs":{},"signature_name":"told"}',
        b'{"instances":[{},{}],"signature_name":"told"}',
        b'{"inputs":{"x":[[1,2,3]],"n":[1],"t":["a"],"c":["b"]},"signature_name":""}',
    ],
)
def test_clean_bodies_take_the_fast_way(body: bytes) -> None:
    assert (
        predict_fast_path.clean_request_parts(predict_requests.parse_json(body), CONTRACT)
        is not None
    )
    assert not isinstance(outcome(fast, body)[0], InvalidRequestError)
    check(body)


@pytest.mark.parametrize(
    "body",
    [
        # A string that only looks like the arrays around it, with and without escapes.
        b'{"inputs":"[[1,2,3],[4,5,6]]","signature_name":"word"}',
        b'{"instances":["[1,2,3]","\\"","[1,2,3]"],"signature_name":"word"}',
        b'{"instances":["\\\\[1,2,3]","\\\\"],"signature_name":"word"}',
        # What is no JSON until an array becomes a string.
        b'{"inputs":"abc\\[1,2,3]"}',
        b'{"inputs":"abc\\[1,2,3],"signature_name":"word"}',
        b'{[1,2,3]:1,"inputs":[1],"signature_name":"any"}',
        b'{"inputs":1[1,2,3],"signature_name":"any"}',
        b'{"inputs":[1,2,3]1,"signature_name":"any"}',
        b'{"inputs":[1,2,3][4],"signature_name":"any"}',
        b'{"inputs":[1,2,3]"a","signature_name":"any"}',
        # The last of equal keys counts, but the first must be JSON too.
        b'{"inputs":[1,2,3],"inputs":[4,5],"signature_name":"any"}',
        b'{"inputs":[1 2,3],"inputs":[4,5],"signature_name":"any"}',
        b'{"instances":[{"g":[[1,2,3],[4,5,6]],"g":[[0,0,0],[4,5,6]]}],"signature_name":"grid"}',
        # Texts that together would be a rectangle, and alone are none.
        b'{"inputs":{"x":[[1,2,3],"n":[4]],"m":[[5,6,7]]},"signature_name":"serving_default"}',
        b'{"a":[[1],"b":[2]],[[3],[4]]}',
        # Nesting that flattening would hide.
        b'{"inputs":[[1,2],3,[4,5]],"signature_name":"any"}',
        b'{"inputs":[[1,2],[]],"signature_name":"any"}',
        b'{"inputs":[[1],[2,3],[]],"signature_name":"any"}',
        b'{"inputs":[[1,2],[[3,4]]],"signature_name":"any"}',
        b'{"inputs":[[1,2]3,[,4]],"signature_name":"any"}',
        b'{"inputs":[[],[]],"signature_name":"any"}',
        b'{"inputs":[[1],[ ]],"signature_name":"any"}',
        b'{"inputs":[[1,],[,2]],"signature_name":"any"}',
        # A document that is an array, or more than one.
        b"[[1,2,3],[4,5,6]]",
        b'{"inputs":[1,2,3],"signature_name":"any"}{"inputs":[1,2,3]}',
        # float64 cannot tell these from the choice and the bound.
        b'{"inputs":[[2.5,9007199254740993]],"signature_name":"pick"}',
        b'{"inputs":[[-1000000000000000001]],"signature_name":"long"}',
        b'{"inputs":[[9007199254740993]],"signature_name":"long"}',
        # A value without its list among those with it, and a default in some rows only.
        b'{"instances":[1,[2]],"signature_name":"column"}',
        b'{"instances":[[1],2],"signature_name":"column"}',
        b'{"instances":[{"k":1},{"k":[2]}],"signature_name":"column"}',
        b'{"instances":[1,null],"signature_name":"column"}',
        b'{"instances":[1,901],"signature_name":"column"}',
        b'{"instances":[[[1]],2],"signature_name":"cell"}',
        b'{"instances":[[1],[2]],"signature_name":"cell"}',
        b'{"inputs":1,"signature_name":"column"}',
        b'{"inputs":[],"signature_name":"column"}',
        b'{"instances":[{"v":1,"s":1},{"v":2}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1},{"v":2,"s":1}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1,"s":null}],"signature_name":"scaled"}',
        b'{"instances":[{"v":1,"s":1},7],"signature_name":"scaled"}',
        b'{"instances":[{},{"v":1}],"signature_name":"scaled"}',
        b'{"inputs":{"s":[1]},"signature_name":"scaled"}',
        b'{"inputs":[[3.4e38]],"signature_name":"brain"}',
        b'{"inputs":[[3.3961775292304951e38,1]],"signature_name":"brain"}',
        b'{"inputs":[[3.3961775292304947e38,1]],"signature_name":"brain"}',
        b'{"inputs":[3.4e38,null],"signature_name":"brains"}',
        # Rounded to float64 and then to float32, it is one step lower than at once.
        b'{"inputs":[[9007199791611905]],"signature_name":"any"}',
    ],
)
def test_bodies_that_a_careless_reader_would_mistake(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("depth", [1, 17, 32, 33, 500, 1020, 1100])
def test_arrays_far_down(depth: int) -> None:
    check(b'{"signature_name":"any","inputs":' + b"[" * depth + b"1,2" + b"]" * depth + b"}")
    for inner in (1, 31, 32):
        array = b"[" * inner + b"1,2,3" + b"]" * inner
        outer = b'[{"a":' * (depth // 2) + array + b"}]" * (depth // 2)
        check(b'{"signature_name":"any","inputs":' + outer + b"}")


@pytest.mark.parametrize("shape", [(3, 7, 400), (5000,), (400, 1, 2, 5), (1, 1, 1, 9000)])
@pytest.mark.parametrize("make", [np.int64, np.float32])
def test_long_arrays(shape: tuple[int, ...], make: type) -> None:
    array = (np.random.default_rng(0).random(shape) * 1000).astype(make)
    body = body_of(array.tolist())
    assert type(predict_requests.parse_json(body)["inputs"]) is NumberArray
    check(body)
    np.testing.assert_array_equal(fast(body).inputs["a"], array.astype(np.float32))
    for old, new in ((b"]", b",3]"), (b"[", b"[[1],"), (b",", b" "), (b",", b",,"), (b",", b",x")):
        at = len(body) // 2
        check(body[:at] + body[at:].replace(old, new, 1))
        check(body[:at].replace(old, new, 1) + body[at:])


def test_many_arrays_among_many_strings() -> None:
    found = [{"x": [i, i + 0.5, i], "n": i, "m": None, "t": f'"{i}\\', "c": "a"} for i in range(99)]
    body = body_of(found, "serving_default", "instances")
    assert type(predict_requests.parse_json(body)["instances"][98]["x"]) is NumberArray
    check(body)
    check(body.replace(b"50.5", b'"50.5"'))
    check(body.replace(b"50.5", b"50.5]"))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"inputs": 1}, "inputs: Expected an empty object, not 1."),
        ({"inputs": {"x": 1}}, "inputs.x: Unknown field; signature 'none' takes no inputs."),
        ({"instances": [1]}, "instances[0]: Expected an empty object, not 1."),
        (
            {"instances": [{"x": 1}]},
            "instances[0].x: Unknown field; signature 'none' takes no inputs.",
        ),
    ],
)
def test_a_signature_without_inputs(body: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(sentence)):
        fast(json.dumps({"signature_name": "none", **body}).encode())


@pytest.mark.parametrize("value", [1e39, -1e39, 1e300])
def test_infinity_is_within_no_bounds(value: float) -> None:
    fields = [
        Field(name=name, dtype="float32", shape=(None,), minimum=-1e300, maximum=1e300)
        for name in "ab"
    ]
    contract = {"serving_default": signature("serving_default", *fields)}
    for body in ({"instances": [{"a": 1, "b": value}]}, {"inputs": {"a": [1], "b": [value]}}):
        assert (
            predict_fast_path.clean_request_parts(
                predict_requests.parse_json(json.dumps(body).encode()), contract
            )
            is None
        )
